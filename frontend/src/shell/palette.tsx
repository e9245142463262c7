// The command palette: everything that can be done from here, and every document, by a few letters.
import { Command, defaultFilter } from "cmdk";
import { FileCode2, FilePlus2, House, Import, Keyboard, Moon, Settings, Shapes, Star, Sun, SunMoon, Trash2 } from "lucide-react";
import { Dialog } from "radix-ui";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { Api } from "../documents/api";
import { keptDocuments, listedDocuments } from "../device/kept";
import { KIND_ICONS } from "../documents/kind-icon";
import { documentPath } from "../documents/name";
import type { Creating } from "../home/use-create";
import { commandsHere } from "../ui/commands";
import { ALT, MOD } from "../ui/platform";
import { useReturnFocus } from "../ui/return-focus";
import { changeSettings } from "../ui/settings";
import { fit, merged, readDocuments, type Named } from "./find-documents";
import { openLayer } from "../ui/layers";
import "./shell.css";

interface Choice {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly hint?: string;
  readonly danger?: boolean;
  readonly run: () => void;
}

export function Palette(props: { readonly api: Api; readonly creating: Creating; readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { api, creating, onClose } = props;
  const [, navigate] = useLocation();
  const [query, setQuery] = useState("");
  const searching = query.trim() !== "";
  const documents = useDocuments(api, searching);
  // Asked once: while the palette is open, the page behind it does not change.
  const [here] = useState(commandsHere);
  // What was chosen may have put the focus elsewhere; only a palette left as it was gives it back.
  const chosen = useRef(false);
  const giveBack = useReturnFocus(() => chosen.current);

  const go: readonly Choice[] = [
    { label: t("app.toDocuments"), icon: <House />, run: () => navigate("/") },
    { label: t("home.starred"), icon: <Star />, run: () => navigate("/starred") },
    { label: t("home.trash"), icon: <Trash2 />, run: () => navigate("/trash") },
    { label: t("settings.title"), icon: <Settings />, run: () => navigate("/settings") },
    { label: t("help.title"), icon: <Keyboard />, hint: "?", run: () => openLayer.set("help") },
  ];
  const begin: readonly Choice[] = [
    { label: t("home.newText"), icon: <FilePlus2 />, hint: `${MOD} ${ALT} N`, run: () => creating.create("text") },
    { label: t("home.newBoard"), icon: <Shapes />, run: () => creating.create("board") },
    { label: t("home.newPlain"), icon: <FileCode2 />, run: () => creating.create("plain") },
    { label: t("home.import"), icon: <Import />, run: creating.pick },
  ];
  const look: readonly Choice[] = [
    { label: t("palette.light"), icon: <Sun />, run: () => changeSettings({ theme: "light" }) },
    { label: t("palette.dark"), icon: <Moon />, run: () => changeSettings({ theme: "dark" }) },
    { label: t("palette.system"), icon: <SunMoon />, run: () => changeSettings({ theme: "system" }) },
  ];

  const choose = (run: () => void): void => {
    chosen.current = true;
    onClose();
    run();
  };
  const group = (heading: string, choices: readonly Choice[]): ReactNode =>
    choices.length > 0 && (
      <Command.Group heading={heading}>
        {choices.map((choice, index) => (
          <Command.Item key={`${choice.label} ${index}`} value={`command ${heading} ${choice.label} ${index}`} keywords={[choice.label]} className={choice.danger ? "menu-item danger" : "menu-item"} onSelect={() => choose(choice.run)}>
            {choice.icon}
            <span className="menu-label">{choice.label}</span>
            {choice.hint && <kbd>{choice.hint}</kbd>}
          </Command.Item>
        ))}
      </Command.Group>
    );

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          className="palette"
          aria-describedby={undefined}
          onCloseAutoFocus={giveBack}
        >
          <Dialog.Title className="visually-hidden">{t("palette.title")}</Dialog.Title>
          <Command label={t("palette.title")} loop filter={filter}>
            <Command.Input className="palette-input" placeholder={t("palette.placeholder")} value={query} onValueChange={setQuery} autoFocus />
            <Command.List className="palette-list" label={t("palette.results")}>
              <Command.Empty className="quiet">{t("palette.nothing")}</Command.Empty>
              {group(t("palette.here"), here)}
              {group(t("palette.new"), begin)}
              {documents.length > 0 && (
                <Command.Group heading={t("home.title")}>
                  {(searching ? documents : documents.slice(0, MOST_SHOWN)).map(({ name, title, kind = "text" }) => (
                    <Command.Item
                      key={name}
                      value={DOCUMENT + name}
                      keywords={[title ?? t("row.untitled")]}
                      className="menu-item"
                      onSelect={() => choose(() => navigate(documentPath(name)))}
                    >
                      {KIND_ICONS[kind]}
                      <span className="menu-label">{title ?? t("row.untitled")}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {group(t("palette.go"), go)}
              {group(t("you.theme"), look)}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** What this device knows, and what the server says; without one, the former is enough. All of it once something is looked for. */
function useDocuments(api: Api, searching: boolean): readonly Named[] {
  const [documents, setDocuments] = useState<readonly Named[]>(() => merged(listedDocuments(), keptDocuments()));
  const [wanted] = useState(() => Promise.withResolvers<undefined>());
  useEffect(() => {
    if (searching) wanted.resolve(undefined);
  }, [searching, wanted]);
  useEffect(() => {
    const controller = new AbortController();
    readDocuments(api, controller.signal, (news) => setDocuments((known) => merged(known, news)), () => wanted.promise).catch(() => undefined);
    return () => controller.abort();
  }, [api, wanted]);
  return documents;
}

/** Of titles, what was typed has to be there; of commands, of which there are few, some of its letters do. */
function filter(value: string, search: string, keywords?: string[]): number {
  const [label = ""] = keywords ?? [];
  return value.startsWith(DOCUMENT) ? fit(label, search) : defaultFilter(label, search);
}

/** Begins the value of every document; the rest is its name, which nobody searches by. */
const DOCUMENT = "document ";
/** As long as nothing is looked for. */
const MOST_SHOWN = 50;
