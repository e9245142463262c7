// A round sign for a person: letters on their colour. The name always stands beside it or in its label.
import { initials } from "./people";

export function Avatar(props: { readonly name: string; readonly colour: string }): React.JSX.Element {
  return (
    <span className="avatar" style={{ backgroundColor: props.colour }} aria-hidden="true">
      {initials(props.name)}
    </span>
  );
}
