// The routes, and what every page shares: the skip link, the live region, toasts.
import { FileQuestion, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Route, Switch, useLocation } from "wouter";
import { createApi } from "./documents/api";
import { keptDocuments } from "./device/kept";
import { nameFromPath } from "./documents/name";
import { remembering } from "./device/remembering";
import { startSending } from "./device/sender";
import { Unkept } from "./frame/unkept";
import { followUnsent } from "./documents/unsent";
import { viewOf } from "./views";
import { ErrorBoundary } from "./ui/error-boundary";
import { fetched } from "./ui/fetched";
import { Shell } from "./shell/shell";
import { LiveRegion } from "./ui/live-region";
import { outdated } from "./ui/missing";
import { waitingVersion } from "./ui/offline";
import { Panel } from "./ui/panel";
import { browserSignals } from "./ui/signals";
import { useStore } from "./ui/store";
import { Toasts } from "./ui/toast";

const api = remembering(createApi());

/** What waits on this device goes to the server from any page. Call once. */
export function startSendingUnsent(): void {
  followUnsent();
  startSending(api, browserSignals);
}

/**
 * Each page is fetched when its address is opened: the editor is most of the app's weight, and neither page needs the
 * other. `main.tsx` calls `fetchPage` before anything else so that page and words travel together.
 */
const Home = fetched(() => import("./home/home").then(({ Home }) => Home), { needed: "page", ahead: true });
const SettingsPage = fetched(() => import("./settings/page").then(({ SettingsPage }) => SettingsPage), { needed: "page", ahead: true });
const DocumentPage = fetched(() => import("./frame/page").then(({ DocumentPage }) => DocumentPage), { needed: "page" });

/** Starts fetching what an address needs. A failure is left to the page itself, which asks again. */
export function fetchPage(path: string): void {
  const name = nameFromPath(path);
  const page = name !== null ? DocumentPage : path === "/settings" ? SettingsPage : Home;
  page.prefetch();
  // What kind it is, the document itself says; a device that has it need not wait for that.
  const kept = name === null ? undefined : keptDocuments().find((entry) => entry.name === name);
  if (kept) viewOf(kept.kind)?.prefetch();
}

export function App(): React.JSX.Element {
  const { t } = useTranslation();
  const [path] = useLocation();
  return (
    <>
      <a className="skip" href="#content">
        {t("app.skip")}
      </a>
      <Outdated />
      <Unkept />
      {/* Of its own for each address: what broke one page is no reason to show none. */}
      <ErrorBoundary key={path}>
        <Switch>
          <Route path="/">
            <Home key="recent" api={api} viewOf={viewOf} tab="recent" fallback={<Fetching />} />
          </Route>
          <Route path="/starred">
            <Home key="starred" api={api} viewOf={viewOf} tab="starred" fallback={<Fetching />} />
          </Route>
          <Route path="/trash">
            <Home key="trash" api={api} viewOf={viewOf} tab="trash" fallback={<Fetching />} />
          </Route>
          <Route path="/settings">
            <SettingsPage fallback={<Fetching />} />
          </Route>
          <Route path="/d/*?">
            <DocumentRoute />
          </Route>
          <Route>
            <NotFound />
          </Route>
        </Switch>
      </ErrorBoundary>
      <Shell api={api} viewOf={viewOf} />
      <Toasts />
      <LiveRegion />
    </>
  );
}

function Fetching(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="frame" role="status">
      <span className="visually-hidden">{t("app.loading")}</span>
    </div>
  );
}

function DocumentRoute(): React.JSX.Element {
  // The router decodes addresses as it likes; the name is read from the address itself.
  useLocation();
  const name = nameFromPath(location.pathname);
  if (name === null) return <NotFound />;
  return <DocumentPage key={name} api={api} viewOf={viewOf} name={name} fallback={<Fetching />} />;
}

function NotFound(): React.JSX.Element {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = "Weft";
  }, []);
  return (
    <main id="content" className="home" tabIndex={-1}>
      <Panel level={1} icon={<FileQuestion />} title={t("app.notFound")} body={t("app.notFoundHint")}>
        <Link href="/" className="button primary">
          {t("app.toDocuments")}
        </Link>
      </Panel>
    </main>
  );
}

/**
 * A newer version waits, or this tab asked for files of its own version that no longer exist. Either way, when to reload
 * is for the person to decide.
 */
function Outdated(): React.JSX.Element | null {
  const { t } = useTranslation();
  const waiting = useStore(waitingVersion);
  const missing = useStore(outdated);
  const [later, setLater] = useState(false);
  if (!missing && (waiting === null || later)) return null;
  return (
    <div className="banner banner-top" role="status">
      <RefreshCw aria-hidden="true" />
      <p>{missing ? t("app.outdated") : t("app.updated")}</p>
      <button type="button" className="button small" onClick={waiting?.change ?? (() => location.reload())}>
        {t("app.reload")}
      </button>
      {!missing && (
        <button type="button" className="button small" onClick={() => setLater(true)}>
          {t("app.later")}
        </button>
      )}
    </div>
  );
}
