// The people besides oneself: a few avatars side by side, the rest counted. Pressing one leads to their caret.
import { useTranslation } from "react-i18next";
import { fetched } from "../ui/fetched";
import { Avatar } from "./avatar";
import type { Person } from "./people";

// Most documents never see a crowd.
const MoreOthers = fetched(() => import("./more-others").then(({ MoreOthers }) => MoreOthers), { ahead: true });

/** More than this and the row would push the title away. */
const SHOWN = 3;

export function Others(props: {
  readonly people: readonly Person[];
  readonly onGoTo: (person: Person) => void;
}): React.JSX.Element | null {
  const { t } = useTranslation();
  const others = props.people.filter((person) => !person.self);
  if (others.length === 0) return null;

  const nameOf = (person: Person): string => person.name || t("people.nameless");
  const shown = others.length > SHOWN + 1 ? others.slice(0, SHOWN) : others;
  const rest = others.slice(shown.length);
  return (
    <ul className="others" aria-label={t("people.here")}>
      {shown.map((person) => (
        <li key={person.client}>
          <button
            type="button"
            className="avatar-button"
            aria-label={t("people.goTo", { name: nameOf(person) })}
            data-tip={nameOf(person)}
            onClick={() => props.onGoTo(person)}
          >
            <Avatar name={nameOf(person)} colour={person.colour} />
          </button>
        </li>
      ))}
      {rest.length > 0 && (
        <li>
          <MoreOthers people={rest} nameOf={nameOf} onGoTo={props.onGoTo} fallback={<span className="avatar avatar-more">+{rest.length}</span>} />
        </li>
      )}
    </ul>
  );
}
