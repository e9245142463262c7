// What works on every page: the command palette, the sheet of keys, and making a document by keyboard. Each layer is
// fetched when it is opened.
import { useEffect, useRef } from "react";
import type { Api } from "../documents/api";
import type { ViewOf } from "../documents/view";
import { useCreate } from "../home/use-create";
import { ErrorBoundary } from "../ui/error-boundary";
import { fetched } from "../ui/fetched";
import { tellMissing } from "../ui/missing";
import { useStore } from "../ui/store";
import { openLayer } from "../ui/layers";
import { goToNextRegion } from "./regions";

const Palette = fetched(() => import("./palette").then(({ Palette }) => Palette), { ahead: true });
const Help = fetched(() => import("./help").then(({ Help }) => Help), { ahead: true });

export function Shell(props: { readonly api: Api; readonly viewOf: ViewOf }): React.JSX.Element {
  const layer = useStore(openLayer);
  const creating = useCreate(props.api, props.viewOf);
  const create = useRef(creating.create);
  useEffect(() => {
    create.current = creating.create;
  });

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      // Whoever has a closer use for the key has taken it: a selection in the text makes a link with Ctrl K.
      if (event.defaultPrevented || event.isComposing) return;
      const mod = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (mod && !event.altKey && !event.shiftKey && key === "k") openLayer.set(openLayer.get() === "palette" ? null : "palette");
      else if (event.key === "?" && !mod && !event.altKey && !isTyping(event.target)) openLayer.set("help");
      else if (mod && event.altKey && event.code === "KeyN") create.current("text");
      else if (event.key === "F6" && !mod && !event.altKey && openLayer.get() === null) goToNextRegion(event.shiftKey);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const close = (): void => openLayer.set(null);
  const broken = (): void => {
    close();
    tellMissing("unknown");
  };
  return (
    // What goes wrong in a layer must not take the page below it along.
    <ErrorBoundary key={layer} instead={null} onFailed={broken}>
      {layer === "palette" && <Palette api={props.api} creating={creating} onClose={close} onMissing={close} />}
      {layer === "help" && <Help onClose={close} onMissing={close} />}
    </ErrorBoundary>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]:not([contenteditable=false])") !== null;
}
