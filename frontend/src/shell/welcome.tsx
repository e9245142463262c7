// The one question a guest is asked: by which name the others should see them. Asked once per browser, with an answer
// already filled in.
import { Dialog } from "radix-ui";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { LANGUAGES, LANGUAGE_NAMES, isLanguage } from "../i18n/languages";
import { Avatar } from "../presence/avatar";
import { COLOURS } from "../presence/colours";
import { suggestName } from "../presence/name";
import { LONGEST_NAME, tidyName } from "../presence/people";
import { focusPage } from "../ui/return-focus";
import { changeSettings, useSettings } from "../ui/settings";
import "./shell.css";

/** Who has given a name came to write. */
function startWriting(event: Event): void {
  event.preventDefault();
  const writing = document.querySelector<HTMLElement>(".prose, .cm-content, .excalidraw");
  if (writing) writing.focus({ preventScroll: true });
  else focusPage();
}

export function Welcome(): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const settings = useSettings();
  const [name, setName] = useState(settings.name ?? "");
  const language = useRef(i18n.language);
  useEffect(() => {
    if (language.current === i18n.language) return;
    language.current = i18n.language;
    // A name that was made up is one of the language it was made up in.
    if (name !== settings.name) return;
    const suggested = suggestName();
    setName(suggested);
    changeSettings({ name: suggested });
  }, [i18n.language, name, settings.name]);
  const colour = settings.colour ?? COLOURS[0];
  // An emptied field means the name that was suggested.
  const done = (): void => changeSettings({ name: tidyName(name) || settings.name, named: true });

  return (
    <Dialog.Root open onOpenChange={(open) => !open && done()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog welcome" onCloseAutoFocus={startWriting}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              done();
            }}
          >
            <div className="welcome-head">
              <Avatar name={tidyName(name)} colour={colour} />
              <Dialog.Title className="dialog-title">{t("welcome.title")}</Dialog.Title>
            </div>
            <Dialog.Description className="dialog-body">{t("welcome.body")}</Dialog.Description>
            <div className="field">
              <label htmlFor="welcome-name">{t("you.name")}</label>
              <input
                id="welcome-name"
                className="input"
                autoComplete="nickname"
                maxLength={LONGEST_NAME}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                onFocus={(event) => event.currentTarget.select()}
              />
            </div>
            <div className="dialog-actions welcome-actions">
              <select
                className="input"
                aria-label={t("you.language")}
                value={i18n.language}
                onChange={(event) => {
                  const language = event.currentTarget.value;
                  if (isLanguage(language)) changeSettings({ language });
                }}
              >
                {LANGUAGES.map((language) => (
                  <option key={language} value={language} lang={language}>
                    {LANGUAGE_NAMES[language]}
                  </option>
                ))}
              </select>
              <button type="submit" className="button primary">
                {t("welcome.go")}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
