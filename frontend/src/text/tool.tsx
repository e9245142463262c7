// One button of a bar of tools, with its name and its keys.
import { Toolbar as Bar } from "radix-ui";
import type { ReactNode } from "react";

export function Tool(props: {
  readonly label: string;
  readonly hint?: string;
  readonly on?: boolean;
  readonly disabled: boolean;
  readonly place?: string;
  readonly run: () => void;
  readonly children: ReactNode;
}): React.JSX.Element {
  return (
    <Bar.Button
      className={props.place === undefined ? "tool" : `tool ${props.place}`}
      aria-label={props.label}
      aria-pressed={props.on}
      data-tip={props.hint ? `${props.label}  ${props.hint}` : props.label}
      disabled={props.disabled}
      // A press must not take the focus, and with it the selection, from the text.
      onMouseDown={(event) => event.preventDefault()}
      onClick={props.run}
    >
      {props.children}
    </Bar.Button>
  );
}
