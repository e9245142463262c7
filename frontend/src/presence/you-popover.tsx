// What is behind one's own avatar: name, colour, theme, language, and the way to the settings. Opens as soon as it is here.
import { Settings } from "lucide-react";
import { Popover } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useSettings } from "../ui/settings";
import { Avatar } from "./avatar";
import { PageFields, PersonFields } from "./fields";
import { useOwnColour } from "./worn";

export function YouPopover(): React.JSX.Element {
  const { t } = useTranslation();
  const settings = useSettings();
  const name = settings.name ?? "";
  const colour = useOwnColour();

  return (
    <Popover.Root defaultOpen>
      <Popover.Trigger className="avatar-button" aria-label={t("you.open", { name })}>
        <Avatar name={name} colour={colour} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover you" align="end" sideOffset={8} collisionPadding={8} aria-label={t("you.title")}>
          <p className="popover-title">{t("you.title")}</p>
          <PersonFields id="you" />
          <PageFields id="you" />
          <Popover.Close asChild>
            <Link href="/settings" className="button">
              <Settings aria-hidden="true" />
              {t("settings.title")}
            </Link>
          </Popover.Close>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
