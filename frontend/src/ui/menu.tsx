// A menu behind a button: Radix for the behaviour, our own style.
import { DropdownMenu } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly hint?: string;
  readonly danger?: boolean;
  readonly checked?: boolean;
  readonly run: () => void;
}

export function Menu(props: {
  readonly button: ReactElement;
  readonly items: readonly MenuItem[];
  readonly align?: "start" | "end";
  /** Where the focus goes when the menu closes, if not back to the button. */
  readonly returnFocus?: () => void;
}): React.JSX.Element {
  const { returnFocus } = props;
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{props.button}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          className="menu"
          align={props.align ?? "end"}
          sideOffset={6}
          collisionPadding={8}
          onCloseAutoFocus={(event) => {
            if (!returnFocus) return;
            event.preventDefault();
            returnFocus();
          }}
        >
          {props.items.map((item) => (
            <DropdownMenu.Item
              key={item.label}
              className={item.danger ? "menu-item danger" : "menu-item"}
              data-checked={item.checked === true ? "" : undefined}
              onSelect={item.run}
            >
              {item.icon}
              <span className="menu-label">{item.label}</span>
              {item.hint && <kbd>{item.hint}</kbd>}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
