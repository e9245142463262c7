// The one question a guest is asked: by which name the others should see them. It stands above the document with an answer
// already filled in, takes no focus and covers nothing; whoever came to read or write leaves it for later.
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { focusPage } from "../ui/return-focus";
import { changeSettings, useSettings } from "../ui/settings";
import { Avatar } from "./avatar";
import { suggestName } from "./name";
import { LONGEST_NAME, tidyName } from "./people";
import { useOwnColour } from "./worn";

/** Whoever has answered came to write. */
function startWriting(): void {
  const writing = document.querySelector<HTMLElement>(".prose, .cm-content, .excalidraw");
  if (writing) writing.focus({ preventScroll: true });
  else focusPage();
}

export function NameStrip(props: { readonly onLater: () => void }): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const settings = useSettings();
  const colour = useOwnColour();
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

  return (
    <form
      className="name-strip"
      aria-label={t("welcome.title")}
      onSubmit={(event) => {
        event.preventDefault();
        // An emptied field means the name that was suggested.
        changeSettings({ name: tidyName(name) || settings.name, named: true });
        startWriting();
      }}
    >
      <Avatar name={tidyName(name)} colour={colour} />
      <label htmlFor="strip-name">{t("welcome.title")}</label>
      <input
        id="strip-name"
        className="input"
        autoComplete="nickname"
        maxLength={LONGEST_NAME}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        onFocus={(event) => event.currentTarget.select()}
      />
      <button type="submit" className="button small primary">
        {t("welcome.done")}
      </button>
      <button
        type="button"
        className="button small"
        onClick={() => {
          props.onLater();
          startWriting();
        }}
      >
        {t("app.later")}
      </button>
    </form>
  );
}
