// What a person chooses on this device, on one page: who they are for the others, how the page looks and moves, and
// which documents lie here.
import { ArrowLeft, Keyboard } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { waitingOf } from "../chat/waiting";
import { keptDocuments, type KeptDocument } from "../device/kept";
import { forgetDocument } from "../device/forget";
import { browserPictures } from "../documents/pictures";
import { documentPath } from "../documents/name";
import { relativeTime, size } from "../documents/when";
import { PageFields, PersonFields } from "../presence/fields";
import { openLayer } from "../ui/layers";
import { inspectCopy } from "../sync/copy";
import { fetched } from "../ui/fetched";
import { announce } from "../ui/live-region";
import { useArrivalFocus } from "../ui/return-focus";
import { CARET_LABELS, changeSettings, useSettings } from "../ui/settings";
import "./settings.css";

const Confirm = fetched(() => import("../ui/confirm").then(({ Confirm }) => Confirm), { ahead: true });

export function SettingsPage(): React.JSX.Element {
  const { t } = useTranslation();
  const settings = useSettings();
  useArrivalFocus();
  useEffect(() => {
    document.title = `${t("settings.title")} · Weft`;
  }, [t]);
  return (
    <div className="frame">
      <header className="bar">
        <Link className="icon-button back" href="/" aria-label={t("doc.back")} data-tip={t("doc.back")}>
          <ArrowLeft />
        </Link>
      </header>
      <main id="content" className="home settings" tabIndex={-1}>
        <h1>{t("settings.title")}</h1>
        <p className="lead">{t("settings.lead")}</p>
        <section className="settings-group" aria-labelledby="settings-you">
          <h2 id="settings-you">{t("you.title")}</h2>
          <PersonFields id="settings" />
        </section>
        <section className="settings-group" aria-labelledby="settings-page">
          <h2 id="settings-page">{t("settings.page")}</h2>
          <PageFields id="settings" />
          <fieldset className="field">
            <legend>{t("settings.carets")}</legend>
            <div className="segments">
              {CARET_LABELS.map((choice) => (
                <label key={choice} className="segment">
                  <input
                    type="radio"
                    name="settings-carets"
                    className="visually-hidden"
                    checked={settings.caretLabels === choice}
                    onChange={() => changeSettings({ caretLabels: choice })}
                  />
                  {t(`settings.carets_${choice}`)}
                </label>
              ))}
            </div>
          </fieldset>
          <label className="switch">
            <input type="checkbox" checked={settings.calm} onChange={(event) => changeSettings({ calm: event.currentTarget.checked })} />
            <span>
              {t("settings.calm")}
              <span className="switch-hint">{t("settings.calmHint")}</span>
            </span>
          </label>
          <button type="button" className="button settings-keys" onClick={() => openLayer.set("help")}>
            <Keyboard aria-hidden="true" />
            {t("help.title")}
          </button>
        </section>
        <section className="settings-group" aria-labelledby="settings-device">
          <h2 id="settings-device">{t("settings.device")}</h2>
          <OnThisDevice />
        </section>
      </main>
    </div>
  );
}

interface Copy extends KeptDocument {
  /** `null` while it is being looked up, or where the browser will not say. */
  readonly bytes: number | null;
  /** Own changes the server does not have; `null` as long as that is not known, and where it cannot be read. */
  readonly unsent: number | null;
}

function OnThisDevice(): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const [copies, setCopies] = useState<readonly Copy[]>(() => keptDocuments().map((kept) => ({ ...kept, bytes: null, unsent: null })));
  const [doomed, setDoomed] = useState<Copy | null>(null);
  const now = Date.now();

  useEffect(() => {
    let over = false;
    const look = async (): Promise<void> => {
      for (const { name } of keptDocuments()) {
        const read = async (): Promise<Pick<Copy, "bytes" | "unsent">> => {
          const found = await inspectCopy(name);
          const pictures = await browserPictures.of(name);
          return { bytes: found?.bytes ?? null, unsent: (found?.kept ?? 0) + pictures.length + (await waitingOf(name)).length };
        };
        const found = await read().catch(() => ({ bytes: null, unsent: null }));
        if (over) return;
        setCopies((before) => before.map((copy) => (copy.name === name ? { ...copy, ...found } : copy)));
      }
    };
    void look();
    return () => {
      over = true;
    };
  }, []);

  const remove = (copy: Copy): void => {
    forgetDocument(copy.name)
      .then(() => {
        setCopies((before) => before.filter(({ name }) => name !== copy.name));
        announce(t("settings.removed", { title: copy.title ?? t("row.untitled") }));
      })
      .catch(() => undefined);
  };

  if (copies.length === 0) return <p className="settings-note">{t("settings.deviceNone")}</p>;
  const total = copies.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  return (
    <>
      <p className="settings-note">{t("settings.deviceHint", { size: size(total, i18n.language) })}</p>
      <ul className="copies" aria-label={t("settings.device")}>
        {copies.map((copy) => {
          const title = copy.title ?? t("row.untitled");
          return (
            <li key={copy.name} className="copy">
              <Link href={documentPath(copy.name)} className="copy-title">
                {title}
              </Link>
              <span className="row-meta">
                {copy.bytes !== null && `${size(copy.bytes, i18n.language)} · `}
                {t("row.seen", { when: relativeTime(copy.seen, now, i18n.language) ?? t("row.justNow") })}
                {copy.unsent !== null && copy.unsent > 0 && ` · ${t("status.kept", { count: copy.unsent })}`}
              </span>
              <button type="button" className="button small danger" onClick={() => (copy.unsent === 0 ? remove(copy) : setDoomed(copy))}>
                {t("settings.remove")}
                <span className="visually-hidden"> {title}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {doomed && (
        <Confirm
          title={t("settings.removeUnsent", { title: doomed.title ?? t("row.untitled") })}
          body={doomed.unsent === null ? t("settings.removeUnreadHint") : t("settings.removeUnsentHint", { count: doomed.unsent })}
          yes={t("settings.remove")}
          onYes={() => remove(doomed)}
          onClose={() => setDoomed(null)}
          onMissing={() => setDoomed(null)}
        />
      )}
    </>
  );
}
