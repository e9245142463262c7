// A picture as it is drawn while one writes: from this device as long as it waits here for the server, and asked for again
// while it is on its way from somebody else's. The document knows its address only, whatever stands in the drawn element.
import { Plugin } from "@tiptap/pm/state";
import { DOMSerializer, type Node } from "@tiptap/pm/model";
import type { NodeView } from "@tiptap/pm/view";
import { waitAfter } from "../sync/backoff";
import type { Pictures } from "../documents/pictures";
import { isOurs } from "./picture";

/** Asked so often in vain, a picture will not come by itself any more. With growing waits that is some minutes. */
const MOST_TRIES = 14;

export interface PicturesPort extends Pick<Pictures, "local" | "waiting" | "refusals"> {
  /** What is said of a picture that the server does not have yet. */
  readonly notSent: () => string;
  /** What is said of a picture that the server refused and nobody else will see. */
  readonly refusal: (message: string) => string;
}

export function pictureViews(pictures: PicturesPort): Plugin {
  return new Plugin({ props: { nodeViews: { image: (node) => view(node, pictures) } } });
}

function view(node: Node, pictures: PicturesPort): NodeView {
  const spec = node.type.spec.toDOM?.(node) ?? ["img"];
  const { dom } = DOMSerializer.renderSpec(document, spec);
  const src: unknown = node.attrs["src"];
  const end = dom instanceof HTMLImageElement && isOurs(src) ? show(dom, src, pictures) : () => undefined;
  return { dom, ignoreMutation: () => true, destroy: end };
}

function show(image: HTMLImageElement, address: string, pictures: PicturesPort): () => void {
  let [ended, tries] = [false, 0];
  let own: string | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;
  const load = (): void => {
    clearTimeout(again);
    image.src = address;
  };
  const onError = (): void => {
    image.dataset["missing"] = "";
    tries += 1;
    if (tries < MOST_TRIES) again = setTimeout(load, waitAfter(tries));
  };
  const onLoad = (): void => {
    delete image.dataset["missing"];
  };
  const onOnline = (): void => {
    if (image.dataset["missing"] === undefined) return;
    tries = 0;
    load();
  };
  image.addEventListener("error", onError);
  image.addEventListener("load", onLoad);
  window.addEventListener("online", onOnline);
  const mark = (): void => {
    const message = pictures.refusals.get().get(address);
    const waits = message === undefined && pictures.waiting.get().has(address);
    image.toggleAttribute("data-refused", message !== undefined);
    image.toggleAttribute("data-waiting", waits);
    if (message !== undefined) image.title = pictures.refusal(message);
    else if (waits) image.title = pictures.notSent();
    else image.title = title;
  };
  const { title } = image;
  mark();
  const ends = [pictures.refusals.subscribe(mark), pictures.waiting.subscribe(mark)];
  // Nothing is asked of the server before it is known whether the bytes are here.
  image.removeAttribute("src");
  void pictures.local(address).then((blob) => {
    if (ended) return;
    if (blob === null) return load();
    own = URL.createObjectURL(blob);
    image.src = own;
  });
  return () => {
    ended = true;
    clearTimeout(again);
    for (const end of ends) end();
    if (own !== null) URL.revokeObjectURL(own);
    window.removeEventListener("online", onOnline);
  };
}
