// What a kind of document brings to the page around it, and all that is known of a view there. Each kind's view is a chunk
// of its own; which they are is said in views.ts, beside the app.
import type { Room } from "../sync/room";
import type { Fetched } from "../ui/fetched";
import type { MenuItem } from "../ui/menu";
import type { Api } from "./api";
import type { Kind } from "./kind";
import type { DocumentName } from "./name";

export interface ViewProps {
  readonly api: Api;
  readonly name: DocumentName;
  readonly room: Room;
  readonly editable: boolean;
  /** Called with what the page may ask of the view, and with `null` when the view goes. */
  readonly onHandle: (handle: ViewHandle | null) => void;
}

export interface ViewHandle {
  /** Shows where somebody is working. `false` says that they are nowhere yet. */
  readonly goTo: (client: number) => boolean | undefined;
  /** Gives the keyboard to what is written or drawn on. */
  readonly focus?: () => void;
  /** What this kind adds to the document's menu. Asked when the menu is drawn. */
  readonly items: () => readonly MenuItem[];
}

/** The view of a kind, fetched when it is first drawn; `null` for a kind this app cannot show. */
export type ViewOf = (kind: Kind | null) => Fetched<ViewProps> | null;
