// What is shown when there is neither a server nor a copy on this device. Part of the page itself: it could not be fetched.
import { CloudOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { Panel } from "../ui/panel";

export function Unreachable(props: { readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <Panel level={1} icon={<CloudOff />} title={t("doc.unreachable")} body={t("doc.unreachableHint")}>
      <button type="button" className="button primary" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
      <BackHome />
    </Panel>
  );
}

export function BackHome(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <Link href="/" className="button">
      {t("doc.back")}
    </Link>
  );
}
