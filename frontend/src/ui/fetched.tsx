// Components in chunks of their own, drawn as soon as they are here. `lazy` and `Suspense` would do the same, but React
// holds whatever replaces a fallback back until 300 ms after that fallback was drawn (`FALLBACK_THROTTLE_MS` in its
// reconciler), so that lists do not flicker in: with them every page opened a third of a second later than it could.
import { CloudOff, RefreshCw } from "lucide-react";
import { useCallback, useEffect, useState, type ComponentType, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { whenAtRest } from "./at-rest";
import { MissingPart, tellMissing, whyMissing, type Missing } from "./missing";
import { Panel } from "./panel";

export type Fetched<Props> = ComponentType<
  Props & {
    readonly fallback?: ReactNode;
    /** Called when it cannot be fetched, which the person is told: whoever counts it as open should not. */
    readonly onMissing?: () => void;
  }
> & {
  /** Starts fetching, for whoever knows before the drawing that it will be wanted. A failure is left to the drawing. */
  readonly prefetch: () => void;
  /** Resolves when it is here; fails with {@link MissingPart}. */
  readonly ready: () => Promise<void>;
};

export interface FetchedOptions {
  /** Without it there is nothing to show: a whole page, or the body of one. */
  readonly needed?: "page" | "body";
  /** Fetched when the page is at rest, so that it opens without a server. */
  readonly ahead?: boolean;
}

/**
 * What `load` brings, fetched when it is first drawn; `fallback` stands in its place until then.
 *
 * A part that cannot be fetched stays what its fallback is, a message says why, and it is asked for again when it is next
 * drawn. In the place of one that is `needed` stands why it is missing, and it comes by itself when the server is back.
 */
export function fetched<Props extends object>(load: () => Promise<ComponentType<Props>>, { needed, ahead = false }: FetchedOptions = {}): Fetched<Props> {
  let here: ComponentType<Props> | null = null;
  let coming: Promise<ComponentType<Props>> | null = null;
  const fetch = (): Promise<ComponentType<Props>> => {
    coming ??= load().then(
      (component) => (here = component),
      (error: unknown) => {
        coming = null;
        throw new MissingPart(error);
      },
    );
    return coming;
  };
  /** What keeps it from being here; `null` for nothing. A passing trouble is tried a second time. */
  const bring = async (): Promise<Missing | null> => {
    try {
      await fetch();
      return null;
    } catch {
      const why = await whyMissing();
      if (why !== "unknown") return why;
    }
    return fetch().then(
      () => null,
      () => "unknown",
    );
  };

  const Part = ({ fallback = null, onMissing, ...props }: Props & { readonly fallback?: ReactNode; readonly onMissing?: () => void }): ReactNode => {
    const [Component, setComponent] = useState(() => here);
    const [missing, setMissing] = useState<Missing | null>(null);
    const [tries, setTries] = useState(0);
    const again = useCallback(() => setTries((count) => count + 1), []);
    useEffect(() => {
      if (Component !== null) return;
      let shown = true;
      void bring().then((why) => {
        if (!shown) return;
        if (why === null) return setComponent(() => here);
        if (needed) return setMissing(why);
        tellMissing(why);
        onMissing?.();
      });
      return () => {
        shown = false;
      };
    }, [Component, tries]); // eslint-disable-line react-hooks/exhaustive-deps -- `onMissing` is told of this try, whoever it is by then
    if (Component !== null) return <Component {...(props as unknown as Props)} />;
    if (missing === null) return fallback;
    // What is at fault is neither the line nor the version: the last net says so.
    if (missing === "unknown") throw new Error("a part of the app is broken");
    const panel = <MissingPanel why={missing} onRetry={again} />;
    return needed === "page" ? (
      <main id="content" className="home" tabIndex={-1}>
        {panel}
      </main>
    ) : (
      panel
    );
  };
  const prefetch = (): void => void fetch().catch(() => undefined);
  if (ahead) whenAtRest(prefetch);
  return Object.assign(Part, { prefetch, ready: () => fetch().then(() => undefined) });
}

/** How often what is missing is asked for again, in ms. */
const AGAIN = 4_000;

function MissingPanel(props: { readonly why: Missing; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { why, onRetry } = props;
  useEffect(() => {
    if (why !== "unreachable") return;
    const timer = setInterval(onRetry, AGAIN);
    return () => clearInterval(timer);
  }, [why, onRetry]);
  return why === "outdated" ? (
    <Panel level={1} icon={<RefreshCw />} title={t("missing.older")} body={t("missing.olderHint")}>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        {t("app.reload")}
      </button>
    </Panel>
  ) : (
    <Panel level={1} icon={<CloudOff />} title={t("missing.away")} body={t("missing.awayHint")}>
      <button type="button" className="button primary" onClick={onRetry}>
        {t("problem.retry")}
      </button>
    </Panel>
  );
}
