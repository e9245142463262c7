// What a person may say about themselves and how the page should look, as form fields. Behind the avatar, in the
// settings, and in the one question a guest is asked.
import { Check, RefreshCw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { LANGUAGES, LANGUAGE_NAMES, isLanguage } from "../i18n/languages";
import { changeSettings, useSettings, type Theme } from "../ui/settings";
import { COLOURS } from "../ui/colours";
import { suggestName } from "./name";
import { LONGEST_NAME, tidyName } from "./people";
import { useStore } from "../ui/store";
import { takenHere, useOwnColour } from "./worn";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

/** `id` tells the fields of two such forms on one page apart. */
export function PersonFields(props: { readonly id: string }): React.JSX.Element {
  const { t } = useTranslation();
  const settings = useSettings();
  const { id } = props;
  const name = settings.name ?? "";
  const colour = useOwnColour();
  const taken = useStore(takenHere);
  return (
    <>
      <div className="field">
        <label htmlFor={`${id}-name`}>{t("you.name")}</label>
        <div className="field-row">
          <input
            id={`${id}-name`}
            className="input"
            defaultValue={name}
            key={name}
            maxLength={LONGEST_NAME}
            autoComplete="nickname"
            onBlur={(event) => keepName(event.currentTarget)}
            onKeyDown={(event) => {
              // Enter also ends a composition (Chinese, Japanese); that one belongs to the input method.
              if (event.key === "Enter" && !event.nativeEvent.isComposing) keepName(event.currentTarget);
            }}
          />
          <button
            type="button"
            className="icon-button"
            aria-label={t("you.suggest")}
            onClick={() => changeSettings({ name: suggestName(), named: true })}
          >
            <RefreshCw />
          </button>
        </div>
      </div>
      <fieldset className="field">
        <legend>{t("you.colour")}</legend>
        <div className="swatches">
          {COLOURS.map((choice, index) => (
            <label key={choice} className="swatch" style={{ backgroundColor: choice }} data-taken={taken.includes(choice) ? "" : undefined}>
              <input
                type="radio"
                name={`${id}-colour`}
                className="visually-hidden"
                aria-label={t(taken.includes(choice) ? "you.colourTaken" : "you.colourNumber", { number: index + 1 })}
                disabled={taken.includes(choice)}
                checked={choice === colour}
                onChange={() => changeSettings({ colour: choice })}
              />
              {choice === colour && <Check aria-hidden="true" />}
            </label>
          ))}
        </div>
      </fieldset>
    </>
  );
}

export function PageFields(props: { readonly id: string }): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const settings = useSettings();
  const { id } = props;
  return (
    <>
      <fieldset className="field">
        <legend>{t("you.theme")}</legend>
        <div className="segments">
          {THEMES.map((theme) => (
            <label key={theme} className="segment">
              <input
                type="radio"
                name={`${id}-theme`}
                className="visually-hidden"
                checked={settings.theme === theme}
                onChange={() => changeSettings({ theme })}
              />
              {t(`you.${theme}`)}
            </label>
          ))}
        </div>
      </fieldset>
      <div className="field">
        <label htmlFor={`${id}-language`}>{t("you.language")}</label>
        <select
          id={`${id}-language`}
          className="input"
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
      </div>
    </>
  );
}

/** An emptied field means "not this name", and the one before it comes back. */
function keepName(input: HTMLInputElement): void {
  const name = tidyName(input.value);
  if (name === "") input.value = input.defaultValue;
  else changeSettings({ name, named: true });
}
