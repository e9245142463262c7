// Taking everything of a document off this device: its copy, its place in the list, its chat, its pictures on their way.
import { forgetChat } from "../chat/kept";
import { removeCopy } from "../sync/copy";
import { forgetKept } from "./device";
import type { DocumentName } from "./name";
import { browserPictures } from "./pictures";
import { forgetMade } from "./made";
import { forgetUnsent, tellUnsent } from "./unsent";

/** Call it only after the document was disposed of. */
export async function forgetDocument(name: DocumentName): Promise<void> {
  forgetKept(name);
  forgetMade(name);
  forgetChat(name);
  await browserPictures.forget(name).catch(() => undefined);
  await removeCopy(name);
  forgetUnsent(name);
  tellUnsent();
}
