// The field of the chat. Enter says it, Shift+Enter begins a line; an Enter that chooses a word of an input method does
// neither.
import { SendHorizontal } from "lucide-react";
import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "../ui/store";
import type { Chat } from "./chat";

/** What browsers call a key that an input method has taken; Safari says nothing else of the one that ends a composition. */
const TAKEN = 229;

export function Composer(props: {
  readonly chat: Chat;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly disabled: boolean;
  readonly onSaid: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { chat, disabled } = props;
  const draft = useStore(chat.draft);
  const say = (): void => {
    const text = draft.trim();
    if (text === "" || disabled) return;
    chat.say(text);
    chat.draft.set("");
    props.onSaid();
    props.field.current?.focus();
  };
  return (
    <form
      className="chat-composer"
      onSubmit={(event) => {
        event.preventDefault();
        say();
      }}
    >
      <div className="chat-field">
        {/* Gives the field the height of its words. */}
        <span className="chat-twin" aria-hidden="true">{`${draft}\u200b`}</span>
        <textarea
          ref={props.field}
          rows={1}
          value={draft}
          disabled={disabled}
          aria-label={t("chat.field")}
          placeholder={t("chat.placeholder")}
          enterKeyHint="send"
          onChange={({ target }) => {
            chat.draft.set(target.value);
            chat.types(target.value.trim() !== "");
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || event.keyCode === TAKEN) return;
            event.preventDefault();
            say();
          }}
        />
      </div>
      <button type="submit" className="icon-button chat-send" aria-label={t("chat.send")} disabled={disabled || draft.trim() === ""}>
        <SendHorizontal />
      </button>
    </form>
  );
}
