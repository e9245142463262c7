// The upper half of the first page: which list this is, the ways to begin a document, and the ways to the other lists.
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { partOfDay } from "../documents/when";
import { You } from "../presence/you";
import { Logo } from "../ui/logo";
import { NewDocument } from "./new-document";
import { SearchField } from "./search-field";
import type { Tab } from "./tab";
import type { Creating } from "./use-create";

export function HomeBar(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <header className="bar">
      <Link className="brand" href="/" aria-label={t("app.home")}>
        <Logo />
        <span>Weft</span>
      </Link>
      <div className="bar-end">
        <You />
      </div>
    </header>
  );
}

export function Hero({ tab, now, creating }: { readonly tab: Tab; readonly now: number; readonly creating: Creating }): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="hero">
      <div>
        <h1>{tab === "trash" ? t("home.trash") : tab === "starred" ? t("home.starred") : t(`home.${partOfDay(new Date(now).getHours())}`)}</h1>
        <p className="lead">{tab === "trash" ? t("home.trashLead") : tab === "starred" ? t("home.starredLead") : t("home.lead")}</p>
      </div>
      {tab !== "trash" && <NewDocument creating={creating} />}
    </div>
  );
}

export function ShelfBar(props: { readonly tab: Tab; readonly searchable: boolean; readonly query: string; readonly onQuery: (query: string) => void }): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="shelf-bar">
      <nav aria-label={t("home.shelves")} className="tabs">
        {(["recent", "starred", "trash"] as const).map((name) => (
          <Link key={name} href={name === "recent" ? "/" : `/${name}`} className="tab" aria-current={props.tab === name ? "page" : undefined}>
            {t(`home.${name}`)}
          </Link>
        ))}
      </nav>
      {props.searchable && <SearchField value={props.query} onChange={props.onQuery} />}
    </div>
  );
}
