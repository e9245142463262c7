// Taking everything of a document off this device: its copy, its place in the list, its chat, its pictures on their way.
import { forgetChat } from "../chat/waiting";
import type { DocumentName } from "../documents/name";
import { browserPictures } from "../documents/pictures";
import { forgetUnsent, tellUnsent } from "../documents/unsent";
import { removeCopy } from "../sync/copy";
import { forgetKept } from "./kept";
import { forgetMade } from "./made";

/** Call it only after the document was disposed of. */
export async function forgetDocument(name: DocumentName): Promise<void> {
  forgetKept(name);
  forgetMade(name);
  await forgetChat(name);
  await browserPictures.forget(name).catch(() => undefined);
  await removeCopy(name);
  forgetUnsent(name);
  tellUnsent();
}
