// How many words there are. Counting walks the whole text, so it is done when the hands rest.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { countWords } from "./words";

/** `version` is anything that changes with the text; `read` must keep its identity. */
export function WordCount(props: { readonly version: number; readonly read: () => string }): React.JSX.Element | null {
  const { t, i18n } = useTranslation();
  const { version, read } = props;
  const [count, setCount] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setCount(countWords(read(), i18n.language)), 300);
    return () => clearTimeout(timer);
  }, [version, read, i18n.language]);
  if (count === 0) return null;
  return <p className="word-count">{t("doc.words", { count })}</p>;
}
