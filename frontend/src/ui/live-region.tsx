// The one polite live region. Everything said to a screen reader without being asked goes through `announce`.
import { createStore, useStore } from "./store";

const said = createStore("");

export function announce(sentence: string): void {
  // The same sentence twice in a row would not be read; a trailing no-break space makes it a new one.
  said.set(said.get() === sentence ? `${sentence}\u00a0` : sentence);
}

export function LiveRegion(): React.JSX.Element {
  const sentence = useStore(said);
  return (
    <div className="visually-hidden" role="status" aria-live="polite" data-testid="live-region">
      {sentence}
    </div>
  );
}
