// How many words there are. Counting walks the whole text, so it is done when the hands rest, and nothing is drawn before.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { countWords } from "./words";

/** Both must keep their identity. `onChange` returns the end of its subscription. */
export function WordCount(props: { readonly read: () => string; readonly onChange: (listener: () => void) => () => void }): React.JSX.Element | null {
  const { t, i18n } = useTranslation();
  const { read, onChange } = props;
  const [count, setCount] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setCount(countWords(read(), i18n.language)), 300);
    };
    later();
    const end = onChange(later);
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [read, onChange, i18n.language]);
  if (count === 0) return null;
  return <p className="word-count">{t("doc.words", { count })}</p>;
}
