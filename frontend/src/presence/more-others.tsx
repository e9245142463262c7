// Those for whom there is no room in the row: their number, and behind it their names.
import { Popover } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Avatar } from "./avatar";
import type { Person } from "./people";

export function MoreOthers(props: {
  readonly people: readonly Person[];
  readonly nameOf: (person: Person) => string;
  readonly onGoTo: (person: Person) => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { people, nameOf } = props;
  return (
    <Popover.Root>
      <Popover.Trigger className="avatar-button" aria-label={t("people.more", { count: people.length })}>
        <span className="avatar avatar-more">+{people.length}</span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover" align="end" sideOffset={8} collisionPadding={8} aria-label={t("people.here")}>
          <ul className="people-list">
            {people.map((person) => (
              <li key={person.client}>
                <button type="button" className="menu-item" onClick={() => props.onGoTo(person)}>
                  <Avatar name={nameOf(person)} colour={person.colour} />
                  {nameOf(person)}
                </button>
              </li>
            ))}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
