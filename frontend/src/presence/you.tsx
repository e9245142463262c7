// One's own avatar, the same on every page. What is behind it is fetched when somebody reaches for it.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { fetched } from "../ui/fetched";
import { useSettings } from "../ui/settings";
import { Avatar } from "./avatar";
import { useOwnColour } from "./worn";

const YouPopover = fetched(() => import("./you-popover").then(({ YouPopover }) => YouPopover), { ahead: true });

export function You(): React.JSX.Element {
  const { t } = useTranslation();
  const settings = useSettings();
  const colour = useOwnColour();
  const [wanted, setWanted] = useState(false);
  const name = settings.name ?? "";
  const avatar = (
    <button
      type="button"
      className="avatar-button"
      aria-label={t("you.open", { name })}
      aria-haspopup="dialog"
      aria-expanded={false}
      onClick={() => setWanted(true)}
      onFocus={YouPopover.prefetch}
      onPointerEnter={YouPopover.prefetch}
    >
      <Avatar name={name} colour={colour} />
    </button>
  );
  return wanted ? <YouPopover fallback={avatar} onMissing={() => setWanted(false)} /> : avatar;
}
