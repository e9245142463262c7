// A round sign for a person: letters on their colour. The name always stands beside it or in its label.
import { initials } from "./people";

export function Avatar(props: { readonly name: string; readonly colour: string }): React.JSX.Element {
  // Drawn by the style sheet: the letters are a sign, not text, and the name is said by whatever the sign stands in.
  return <span className="avatar" style={{ backgroundColor: props.colour }} data-initials={initials(props.name)} aria-hidden="true" />;
}
