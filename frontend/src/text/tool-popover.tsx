// What a button of the toolbar opens beside itself; when it closes, one goes on in the text.
import type { Editor } from "@tiptap/core";
import { Popover } from "radix-ui";
import type { ReactNode } from "react";

export interface ToolPopoverProps {
  readonly editor: Editor;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly button: React.JSX.Element;
}

/** `place` is the class that dresses it. */
export function ToolPopover(props: ToolPopoverProps & { readonly place: string; readonly label: string; readonly children: ReactNode }): React.JSX.Element {
  return (
    <Popover.Root open={props.open} onOpenChange={props.onOpen}>
      <Popover.Trigger asChild>{props.button}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className={`popover ${props.place}`}
          sideOffset={8}
          collisionPadding={8}
          aria-label={props.label}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            props.editor.commands.focus();
          }}
        >
          {props.children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
