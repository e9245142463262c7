// One's own avatar, the same on every page. What is behind it is fetched when somebody reaches for it.
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSettings } from "../ui/settings";
import { Avatar } from "./avatar";
import { COLOURS } from "./colours";

const fetchPopover = () => import("./you-popover");
const YouPopover = lazy(() => fetchPopover().then(({ YouPopover }) => ({ default: YouPopover })));

export function You(): React.JSX.Element {
  const { t } = useTranslation();
  const settings = useSettings();
  const [wanted, setWanted] = useState(false);
  const prefetch = (): void => void fetchPopover().catch(() => undefined);
  const name = settings.name ?? "";
  const avatar = (
    <button
      type="button"
      className="avatar-button"
      aria-label={t("you.open", { name })}
      aria-haspopup="dialog"
      aria-expanded={false}
      onClick={() => setWanted(true)}
      onFocus={prefetch}
      onPointerEnter={prefetch}
    >
      <Avatar name={name} colour={settings.colour ?? COLOURS[0]} />
    </button>
  );
  return wanted ? (
    <Suspense fallback={avatar}>
      <YouPopover />
    </Suspense>
  ) : (
    avatar
  );
}
