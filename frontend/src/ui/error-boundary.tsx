// The last net: a view that threw is replaced by words and a way on, instead of a white page.
import { TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "./panel";

export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    return this.state.failed ? <Broken /> : this.props.children;
  }
}

function Broken(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <main id="content" className="home">
      <Panel level={1} icon={<TriangleAlert />} title={t("app.broken")} body={t("app.brokenHint")}>
        <button type="button" className="button primary" onClick={() => location.reload()}>
          {t("app.reload")}
        </button>
      </Panel>
    </main>
  );
}
