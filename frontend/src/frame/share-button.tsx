// The button that opens what is behind sharing.
import { Share2 } from "lucide-react";
import { useTranslation } from "react-i18next";

export function ShareButton(props: React.ComponentProps<"button">): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <button type="button" className="button small share" aria-label={t("share.open")} {...props}>
      <Share2 aria-hidden="true" />
      <span>{t("share.open")}</span>
    </button>
  );
}
