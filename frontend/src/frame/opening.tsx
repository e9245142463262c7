// What stands in the place of a document that is on its way.
import { TitleField } from "../documents/title-field";
import type { Room } from "../sync/room";

/** What is shown while the text cannot be: the title, which may be there to be written before it, and lines on their way. */
export function Opening(props: { readonly room: Room; readonly editable?: boolean }): React.JSX.Element {
  return (
    <article className="sheet">
      <TitleField doc={props.room.doc} editable={props.editable === true} onLeave={() => undefined} />
      <div className="skeleton opening" aria-hidden="true">
        {[92, 97, 88, 64, 0, 95, 90, 41].map((width, line) => (
          <span key={line} className={width === 0 ? "bone-gap" : "bone bone-line"} style={{ inlineSize: `${width}%` }} />
        ))}
      </div>
    </article>
  );
}
