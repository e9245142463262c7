// A menu behind a button: Radix for the behaviour, our own style.
import { DropdownMenu } from "radix-ui";
import type { ButtonHTMLAttributes, ReactElement, ReactNode } from "react";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly hint?: string;
  readonly danger?: boolean;
  readonly checked?: boolean;
  readonly run: () => void;
}

export function Menu(props: {
  readonly button: ReactElement<ButtonHTMLAttributes<HTMLButtonElement>>;
  /** As a function, asked each time the menu opens. */
  readonly items: readonly MenuItem[] | (() => readonly MenuItem[]);
  readonly align?: "start" | "end";
  readonly defaultOpen?: boolean;
  readonly onOpen?: (open: boolean) => void;
  /** Where the focus goes when the menu closes, if not back to the button. */
  readonly returnFocus?: () => void;
}): React.JSX.Element {
  const { returnFocus } = props;
  return (
    <DropdownMenu.Root modal={false} defaultOpen={props.defaultOpen ?? false} {...(props.onOpen ? { onOpenChange: props.onOpen } : {})}>
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
            // Whoever went on to another menu wants that one: it would close if the focus left it.
            if (document.querySelector(".menu") === null) returnFocus();
          }}
        >
          <Items items={props.items} />
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function Items(props: { readonly items: readonly MenuItem[] | (() => readonly MenuItem[]) }): React.JSX.Element {
  const items = typeof props.items === "function" ? props.items() : props.items;
  return (
    <>
      {items.map((item, index) => (
        <DropdownMenu.Item
          // Two people may have one name.
          key={`${item.label} ${index}`}
          className={item.danger ? "menu-item danger" : "menu-item"}
          data-checked={item.checked === true ? "" : undefined}
          onSelect={item.run}
        >
          {item.icon}
          <span className="menu-label">{item.label}</span>
          {item.hint && <kbd>{item.hint}</kbd>}
        </DropdownMenu.Item>
      ))}
    </>
  );
}
