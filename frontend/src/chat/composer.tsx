// The field of the chat. Enter says it, Shift+Enter begins a line; an Enter that chooses a word of an input method does
// neither.
import { SendHorizontal } from "lucide-react";
import { useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "../ui/store";
import type { Chat } from "./chat";
import { callAt, called, matching, type Call } from "./mention";

/** What browsers call a key that an input method has taken; Safari says nothing else of the one that ends a composition. */
const TAKEN = 229;

const NAMES = "chat-names";

export function Composer(props: {
  readonly chat: Chat;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly disabled: boolean;
  /** Who can be called by name. */
  readonly people: readonly string[];
  readonly onSaid: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { chat, disabled } = props;
  const draft = useStore(chat.draft);
  const [call, setCall] = useState<Call | null>(null);
  const [chosen, setChosen] = useState(0);
  const names = call === null ? [] : matching(props.people, call.query);
  const look = ({ value, selectionStart, selectionEnd }: HTMLTextAreaElement): void => {
    setCall(selectionStart === selectionEnd ? callAt(value, selectionStart) : null);
    setChosen(0);
  };
  const take = (name: string | undefined): void => {
    const field = props.field.current;
    if (call === null || name === undefined || field === null) return;
    const { text, caret } = called(draft, call, name);
    chat.draft.set(text);
    setCall(null);
    // The field has the new words with the next drawing.
    requestAnimationFrame(() => {
      field.focus();
      field.setSelectionRange(caret, caret);
    });
  };
  const say = (): void => {
    const text = draft.trim();
    if (text === "" || disabled) return;
    chat.say(text);
    chat.draft.set("");
    setCall(null);
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
      {names.length > 0 && (
        <ul className="menu chat-names" id={NAMES} role="listbox" aria-label={t("chat.people")}>
          {names.map((name, index) => (
            // The field keeps the focus and the keys; the pointer is the second way.
            <li
              key={name}
              id={`${NAMES}-${String(index)}`}
              role="option"
              aria-selected={index === chosen}
              className="menu-item"
              data-highlighted={index === chosen ? "" : undefined}
              onPointerMove={() => setChosen(index)}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(name)}
            >
              <span className="menu-label">{name}</span>
            </li>
          ))}
        </ul>
      )}
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
          aria-autocomplete="list"
          aria-controls={names.length > 0 ? NAMES : undefined}
          aria-activedescendant={names.length > 0 ? `${NAMES}-${String(chosen)}` : undefined}
          onBlur={() => setCall(null)}
          // React says so of a key as well, and the key may just have closed the names.
          onSelect={({ currentTarget: { value, selectionStart } }) => setCall((open) => open && callAt(value, selectionStart))}
          onChange={({ target }) => {
            look(target);
            chat.draft.set(target.value);
            chat.types(target.value.trim() !== "");
          }}
          onKeyDown={(event) => {
            if (names.length > 0 && !event.nativeEvent.isComposing && event.keyCode !== TAKEN) {
              const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
              if (step !== 0) setChosen((chosen + step + names.length) % names.length);
              else if (event.key === "Enter" || event.key === "Tab") take(names[chosen]);
              else if (event.key === "Escape") setCall(null);
              if (step !== 0 || ["Enter", "Tab", "Escape"].includes(event.key)) {
                event.preventDefault();
                event.stopPropagation();
                return;
              }
            }
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
