// One's own avatar and what is behind it: name, colour, theme, language. The same on every page.
import { Check, RefreshCw } from "lucide-react";
import { Popover } from "radix-ui";
import { useTranslation } from "react-i18next";
import { LANGUAGES, LANGUAGE_NAMES, isLanguage } from "../i18n/languages";
import { changeSettings, useSettings, type Theme } from "../ui/settings";
import { Avatar } from "./avatar";
import { COLOURS } from "./colours";
import { suggestName } from "./name";
import { LONGEST_NAME, tidyName } from "./people";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

export function You(): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const settings = useSettings();
  const name = settings.name ?? "";
  const colour = settings.colour ?? COLOURS[0];

  return (
    <Popover.Root>
      <Popover.Trigger className="avatar-button" aria-label={t("you.open", { name })}>
        <Avatar name={name} colour={colour} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover you" align="end" sideOffset={8} collisionPadding={8} aria-label={t("you.title")}>
          <p className="popover-title">{t("you.title")}</p>
          <div className="field">
            <label htmlFor="you-name">{t("you.name")}</label>
            <div className="field-row">
              <input
                id="you-name"
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
                onClick={() => changeSettings({ name: suggestName() })}
              >
                <RefreshCw />
              </button>
            </div>
          </div>
          <fieldset className="field">
            <legend>{t("you.colour")}</legend>
            <div className="swatches">
              {COLOURS.map((choice, index) => (
                <label key={choice} className="swatch" style={{ backgroundColor: choice }}>
                  <input
                    type="radio"
                    name="you-colour"
                    className="visually-hidden"
                    aria-label={t("you.colourNumber", { number: index + 1 })}
                    checked={choice === colour}
                    onChange={() => changeSettings({ colour: choice })}
                  />
                  {choice === colour && <Check aria-hidden="true" />}
                </label>
              ))}
            </div>
          </fieldset>
          <fieldset className="field">
            <legend>{t("you.theme")}</legend>
            <div className="segments">
              {THEMES.map((theme) => (
                <label key={theme} className="segment">
                  <input
                    type="radio"
                    name="you-theme"
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
            <label htmlFor="you-language">{t("you.language")}</label>
            <select
              id="you-language"
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
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** An emptied field means "not this name", and the one before it comes back. */
function keepName(input: HTMLInputElement): void {
  const name = tidyName(input.value);
  if (name === "") input.value = input.defaultValue;
  else changeSettings({ name });
}
