// What stands in the place of rows, or above them: they are on their way, there are none, or they could not be had.
import { CircleAlert, CloudOff, Plus, Shapes, Star, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../documents/api";
import { problemHint, problemWords } from "../documents/problem-words";
import { EmptyLoom } from "../ui/logo";
import { Panel } from "../ui/panel";
import type { Tab } from "./tab";
import type { Creating } from "./use-create";

export function Skeleton(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div role="status">
      <span className="visually-hidden">{t("home.loading")}</span>
      <ul className="rows skeleton" aria-hidden="true">
        {Array.from({ length: 6 }, (_, row) => (
          <li className="row" key={row}>
            <div className="row-link">
              <span className="row-icon bone" />
              <span className="row-text">
                <span className="bone bone-title" style={{ inlineSize: `${[46, 62, 38, 54, 32, 50][row] ?? 40}%` }} />
                <span className="bone bone-meta" />
              </span>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Empty(props: { readonly tab: Tab; readonly creating: Creating }): React.JSX.Element {
  const { t } = useTranslation();
  switch (props.tab) {
    case "trash":
      return <Panel icon={<Trash2 />} title={t("home.emptyTrash")} body={t("home.emptyTrashHint")} />;
    case "starred":
      return <Panel icon={<Star />} title={t("home.emptyStarred")} body={t("home.emptyStarredHint")} />;
    case "recent":
      return (
        <Panel icon={<EmptyLoom />} title={t("home.empty")} body={t("home.emptyHint")}>
          <button type="button" className="button primary large" onClick={() => props.creating.create("text")} disabled={props.creating.busy}>
            <Plus aria-hidden="true" />
            {t("home.newText")}
          </button>
          <button type="button" className="button large" onClick={() => props.creating.create("board")} disabled={props.creating.busy}>
            <Shapes aria-hidden="true" />
            {t("home.newBoard")}
          </button>
        </Panel>
      );
  }
}

export function Failed(props: { readonly problem: Problem | null; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const problem = props.problem ?? { kind: "unreachable" };
  return (
    <Panel icon={problem.kind === "unreachable" ? <CloudOff /> : <CircleAlert />} title={problemWords(problem, t)} body={problemHint(problem, t)}>
      <button type="button" className="button primary" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
    </Panel>
  );
}

export function Banner(props: { readonly problem: Problem; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="banner" role="alert">
      <CloudOff aria-hidden="true" />
      <p>
        <strong>{problemWords(props.problem, t)}.</strong> {problemHint(props.problem, t)}
      </p>
      <button type="button" className="button small" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
    </div>
  );
}
