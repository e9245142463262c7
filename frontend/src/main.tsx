// Where the page begins: settings, words, then the app. The editor is fetched alongside when the address needs it.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App, fetchPage, startSendingUnsent } from "./app";
import { startWords } from "./i18n";
import { keptDocuments } from "./device/kept";
import { ensurePerson } from "./presence/name";
import { askToKeep, startOffline } from "./ui/offline";
import { settings, startSettings } from "./ui/settings";
import { whenAtRest } from "./ui/at-rest";
import "./ui/theme.css";
import "./ui/controls.css";

async function start(): Promise<void> {
  fetchPage(location.pathname);
  startSettings();
  await startWords(settings);
  ensurePerson();
  const root = document.getElementById("root");
  if (root === null) throw new Error("index.html has no #root");
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
  startSendingUnsent();
  whenAtRest(() => void askToKeep(keptDocuments().length > 0));
  await startOffline();
}

void start();
