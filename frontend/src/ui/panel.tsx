// A page-sized message: what happened, what it means, and what can be done about it.
import type { ReactNode } from "react";

export function Panel(props: {
  readonly icon: ReactNode;
  readonly title: string;
  readonly body: string;
  readonly children?: ReactNode;
  /** The heading's level; 1 where the page has no other. */
  readonly level?: 1 | 2;
}): React.JSX.Element {
  const Heading = props.level === 1 ? "h1" : "h2";
  return (
    <section className="panel">
      <div className="panel-icon" aria-hidden="true">
        {props.icon}
      </div>
      <Heading className="panel-title">{props.title}</Heading>
      <p className="panel-body">{props.body}</p>
      {props.children && <div className="panel-actions">{props.children}</div>}
    </section>
  );
}
