// Where one writes what is searched for; a slash goes there from anywhere on the page.
import { Search } from "lucide-react";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

export function SearchField(props: { readonly value: string; readonly onChange: (value: string) => void }): React.JSX.Element {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <label className="search">
      <Search aria-hidden="true" />
      <span className="visually-hidden">{t("home.search")}</span>
      <input
        ref={input}
        type="search"
        placeholder={t("home.search")}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") props.onChange("");
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}
