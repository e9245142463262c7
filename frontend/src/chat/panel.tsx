// The chat beside the document: what was said, who is writing, and a field.
import { ArrowDown, ArrowLeft, CircleAlert, Clock, CloudOff, X } from "lucide-react";
import { Fragment, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Avatar } from "../presence/avatar";
import { COLOURS } from "../ui/colours";
import { useOwnColour } from "../presence/worn";
import { localeOf } from "../i18n/languages";
import { useSettings } from "../ui/settings";
import type { Chat } from "./chat";
import { Composer } from "./composer";
import { pieces } from "./links";
import { calls } from "./mention";
import { usePhonePage } from "./phone-page";
import { passages } from "./quote";
import { TOO_LONG, unread, type State, type Waiting } from "./state";
import { timeline, type Entry, type Part } from "./timeline";
import { useChatState } from "./use-chat";
import "./chat.css";

export function ChatPanel(props: { readonly chat: Chat; readonly people: readonly string[]; readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { chat } = props;
  const panel = useRef<HTMLElement>(null);
  const onClose = usePhonePage(panel, props.onClose);
  const state = useChatState(chat);
  const colour = useOwnColour();
  const entries = useMemo(() => timeline(state, colour), [state, colour]);
  const field = useRef<HTMLTextAreaElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const { place, below, toEnd, onScroll } = useEnd(chat, state);

  // Where a field calls up a keyboard that takes half of the screen, reading comes first.
  useEffect(() => (matchMedia("(pointer: coarse)").matches ? heading.current : field.current)?.focus(), []);

  const edit = (waits: Waiting): void => {
    chat.drop(waits.id);
    chat.draft.set(chat.draft.get() === "" ? waits.text : `${chat.draft.get()}\n${waits.text}`);
    field.current?.focus();
  };
  const older = (): void => void chat.older();
  return (
    <aside
      ref={panel}
      className="chat"
      aria-label={t("chat.title")}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.nativeEvent.isComposing) onClose();
      }}
    >
      <header className="chat-head">
        <button type="button" className="icon-button chat-back" aria-label={t("chat.back")} onClick={onClose}>
          <ArrowLeft />
        </button>
        <h2 ref={heading} tabIndex={-1}>
          {t("chat.title")}
        </h2>
        <button type="button" className="icon-button chat-close" aria-label={t("chat.close")} onClick={onClose}>
          <X />
        </button>
      </header>
      <LineWords state={state} keeps={chat.keeps()} />
      {/* New messages are said by the page's one live region; a log that speaks by itself would repeat them. */}
      <div ref={place} className="chat-past" role="log" aria-live="off" aria-label={t("chat.messages")} tabIndex={0} onScroll={onScroll}>
        {(state.past === "more" || state.past === "loading" || state.past === "failed") && (
          <button type="button" className="button small chat-older" disabled={state.past === "loading"} onClick={older}>
            {state.past === "loading" ? t("app.loading") : state.past === "failed" ? t("chat.olderFailed") : t("chat.older")}
          </button>
        )}
        {state.said.length + state.waiting.length === 0 && <p className="chat-empty">{t("chat.empty")}</p>}
        {entries.map((entry) => (
          <EntryView key={entry.key} entry={entry} sending={state.line === "live"} onAgain={chat.again} onDrop={chat.drop} onEdit={edit} />
        ))}
      </div>
      {below && (
        <button type="button" className="button small chat-below" onClick={toEnd}>
          <ArrowDown />
          {t("chat.below")}
        </button>
      )}
      <p className="chat-writers">
        <Writers state={state} />
      </p>
      <Composer chat={chat} field={field} disabled={state.line === "ended"} people={props.people} onSaid={toEnd} />
    </aside>
  );
}

/** Why nothing goes out at the moment, if nothing does. */
function LineWords(props: { readonly state: State; readonly keeps: boolean }): React.JSX.Element | null {
  const { t } = useTranslation();
  const { line, held, waiting } = props.state;
  const waits = waiting.some(({ refused }) => refused === null);
  const away = useLasting(line === "lost" || line === "connecting");
  const words = (): string | null => {
    if (line === "ended") return t("chat.ended");
    if (away) return props.keeps || !waits ? t("chat.offline") : t("chat.offlineNotKept");
    if (held !== null && waits) return held.why === "rate_limited" ? t("chat.tooFast") : t("chat.notStored");
    return null;
  };
  const said = words();
  return (
    <div role="status">
      {said !== null && (
        <p className="chat-line">
          <CloudOff aria-hidden="true" />
          {said}
        </p>
      )}
    </div>
  );
}

/** A line that is back within a moment was not worth a word. */
function useLasting(now: boolean): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!now) return setLasting(false);
    const timer = setTimeout(() => setLasting(true), 1_200);
    return () => clearTimeout(timer);
  }, [now]);
  return lasting && now;
}

interface Acts {
  /** Whether the line is there: what waits is then on its way. */
  readonly sending: boolean;
  readonly onAgain: (id: string) => void;
  readonly onDrop: (id: string) => void;
  readonly onEdit: (waits: Waiting) => void;
}

function EntryView(props: { readonly entry: Entry } & Acts): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { entry, ...acts } = props;
  switch (entry.kind) {
    case "day":
      return (
        <p className="chat-day">
          <span>{dayOf(entry.at, localeOf(i18n.language))}</span>
        </p>
      );
    case "moved": {
      const list = new Intl.ListFormat(i18n.language);
      const several = (names: readonly string[]): string =>
        list.format(names.length > 3 ? [...names.slice(0, 2), t("chat.others", { count: names.length - 2 })] : names);
      const sentences = [
        ...(entry.joined.length > 0 ? [t("people.joined", { names: several(entry.joined) })] : []),
        ...(entry.left.length > 0 ? [t("people.left", { names: several(entry.left) })] : []),
      ];
      return <p className="chat-moved">{sentences.join(" · ")}</p>;
    }
    case "said":
      return (
        <article className="chat-said" data-own={entry.own ? "" : undefined} aria-label={entry.own ? t("people.you", { name: entry.name }) : entry.name}>
          <Avatar name={entry.name} colour={entry.colour ?? COLOURS[0]} />
          <div className="chat-words">
            <p className="chat-who">
              <span className="chat-name">{entry.own ? t("people.you", { name: entry.name }) : entry.name}</span>
              {entry.parts[0] && <Time at={entry.parts[0].at} />}
            </p>
            {entry.parts.map((part) => (
              <PartView key={part.key} part={part} own={entry.own} {...acts} />
            ))}
          </div>
        </article>
      );
  }
}

function PartView(props: { readonly part: Part; readonly own: boolean } & Acts): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { text, at, waiting } = props.part;
  const { name } = useSettings();
  const said = useMemo(() => passages(text).map((passage) => ({ ...passage, words: pieces(passage.text) })), [text]);
  return (
    <div className="chat-part" data-waiting={waiting !== null ? "" : undefined} data-calls={!props.own && calls(text, name ?? "") ? "" : undefined} title={exactly(at, localeOf(i18n.language))}>
      <div className="chat-text">
        {said.map(({ quote, words }, index) => {
          const Passage = quote ? "blockquote" : "p";
          return (
            <Passage key={index}>
              {words.map(({ text, href }, place) =>
                href === null ? (
                  <Fragment key={place}>{text}</Fragment>
                ) : (
                  <a key={place} href={href} target="_blank" rel="noopener noreferrer nofollow">
                    {text}
                  </a>
                ),
              )}
            </Passage>
          );
        })}
      </div>
      {waiting !== null && waiting.refused === null && (
        <span className="chat-clock" data-tip={props.sending ? t("chat.sending") : t("chat.waits")}>
          <Clock aria-hidden="true" />
          <span className="visually-hidden">{props.sending ? t("chat.sending") : t("chat.waits")}</span>
        </span>
      )}
      {waiting !== null && waiting.refused !== null && (
        <div className="chat-refused">
          <p>
            <CircleAlert aria-hidden="true" />
            {t(waiting.refused === TOO_LONG ? "chat.tooLong" : waiting.refused === "chat_full" ? "chat.full" : "chat.refused")}
          </p>
          {waiting.refused !== TOO_LONG && (
            <button type="button" className="button small" onClick={() => props.onAgain(waiting.id)}>
              {t("chat.again")}
            </button>
          )}
          <button type="button" className="button small" onClick={() => props.onEdit(waiting)}>
            {t("chat.edit")}
          </button>
          <button type="button" className="button small" onClick={() => props.onDrop(waiting.id)}>
            {t("chat.drop")}
          </button>
        </div>
      )}
    </div>
  );
}

function Time(props: { readonly at: number }): React.JSX.Element {
  const { i18n } = useTranslation();
  return (
    <time className="chat-time" dateTime={new Date(props.at).toISOString()}>
      {new Intl.DateTimeFormat(localeOf(i18n.language), { timeStyle: "short" }).format(props.at)}
    </time>
  );
}

function exactly(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

/** "Today", "yesterday", or the date. */
function dayOf(at: number, language: string): string {
  const midnight = (moment: number): number => new Date(moment).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(Date.now())) / 86_400_000);
  const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
  const words =
    days > -2 && days < 1
      ? new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day")
      : new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }).format(at);
  return words.charAt(0).toLocaleUpperCase(language) + words.slice(1);
}

function Writers(props: { readonly state: State }): React.JSX.Element | null {
  const { t, i18n } = useTranslation();
  const names = [...new Set(props.state.writers.map(({ name }) => name))];
  if (names.length === 0) return null;
  return <>{names.length > 3 ? t("chat.severalWrite") : t("chat.writing", { count: names.length, names: new Intl.ListFormat(i18n.language).format(names) })}</>;
}

/** How close to the end counts as being there, in px. */
const NEAR = 48;
/** How close to the beginning older messages are fetched, in px. */
const EARLY = 160;

/** Stays at the end while one reads there, stays where one reads otherwise, and knows what was read. */
function useEnd(
  chat: Chat,
  state: State,
): { readonly place: React.RefObject<HTMLDivElement | null>; readonly below: boolean; readonly toEnd: () => void; readonly onScroll: () => void } {
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [away, setAway] = useState(false);
  const shown = useRef({ first: state.said[0]?.id, height: 0 });

  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const first = state.said[0]?.id;
    const before = shown.current;
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else if (first !== before.first) element.scrollTop += element.scrollHeight - before.height;
    shown.current = { first, height: element.scrollHeight };
  }, [state]);

  // The field grows, the keyboard of a phone comes: the end stays in sight.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const news = unread(state);
  useEffect(() => {
    if (news === 0) return;
    const read = (): void => {
      if (atEnd.current && document.visibilityState === "visible") chat.read();
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [chat, news, away]);

  const onScroll = useCallback(() => {
    const element = place.current;
    if (element === null) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    setAway(!atEnd.current);
    if (element.scrollTop < EARLY && chat.state().past === "more") void chat.older();
  }, [chat]);
  const toEnd = useCallback(() => {
    atEnd.current = true;
    setAway(false);
    const element = place.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, []);
  return { place, below: away && news > 0, toEnd, onScroll };
}
