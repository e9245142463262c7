// Components in chunks of their own, drawn as soon as they are here. `lazy` and `Suspense` would do the same, but React
// holds whatever replaces a fallback back until 300 ms after that fallback was drawn (`FALLBACK_THROTTLE_MS` in its
// reconciler), so that lists do not flicker in: with them every page opened a third of a second later than it could.
import { useEffect, useState, type ComponentType, type ReactNode } from "react";

export type Fetched<Props> = ComponentType<Props & { readonly fallback?: ReactNode }> & {
  /** Starts fetching, for whoever knows before the drawing that it will be wanted. A failure is left to the drawing. */
  readonly prefetch: () => void;
};

/**
 * What `load` brings, fetched when it is first drawn; `fallback` stands in its place until then.
 *
 * A part that cannot be fetched stays what its fallback is, and is asked for again when it is next drawn: the page says by
 * itself that files are missing. One that is `needed` throws instead, since without it there is nothing to show.
 */
export function fetched<Props extends object>(load: () => Promise<ComponentType<Props>>, { needed = false } = {}): Fetched<Props> {
  let here: ComponentType<Props> | null = null;
  let coming: Promise<ComponentType<Props>> | null = null;
  const fetch = (): Promise<ComponentType<Props>> => {
    coming ??= load().then(
      (component) => (here = component),
      (error: unknown) => {
        coming = null;
        throw error;
      },
    );
    return coming;
  };

  const Part = ({ fallback = null, ...props }: Props & { readonly fallback?: ReactNode }): ReactNode => {
    const [Component, setComponent] = useState(() => here);
    const [failure, setFailure] = useState<{ readonly error: unknown } | null>(null);
    useEffect(() => {
      if (Component !== null) return;
      let shown = true;
      fetch().then(
        (component) => shown && setComponent(() => component),
        (error: unknown) => shown && needed && setFailure({ error }),
      );
      return () => {
        shown = false;
      };
    }, [Component]);
    if (failure !== null) throw failure.error;
    return Component === null ? fallback : <Component {...(props as unknown as Props)} />;
  };
  return Object.assign(Part, { prefetch: () => void fetch().catch(() => undefined) });
}
