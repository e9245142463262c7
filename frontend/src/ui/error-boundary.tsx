// The last net: a view that threw is replaced by words and a way on, instead of a white page.
import { TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "./panel";

interface Props {
  readonly children: ReactNode;
  /** Stands in the place of what threw; words and a way on, if not given. */
  readonly instead?: ReactNode;
  readonly onFailed?: () => void;
}

export class ErrorBoundary extends Component<Props, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override componentDidCatch(): void {
    this.props.onFailed?.();
  }

  override render(): ReactNode {
    const { instead = <Broken /> } = this.props;
    return this.state.failed ? instead : this.props.children;
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
