// Where the page begins: settings, words, then the app. The editor is fetched alongside when the address needs it.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App, fetchPage } from "./app";
import { startWords } from "./i18n";
import { ensurePerson } from "./presence/name";
import { startOffline } from "./ui/offline";
import { startSettings } from "./ui/settings";
import "./ui/theme.css";
import "./ui/controls.css";

async function start(): Promise<void> {
  fetchPage(location.pathname);
  startSettings();
  await startWords();
  ensurePerson();
  const root = document.getElementById("root");
  if (root === null) throw new Error("index.html has no #root");
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
  await startOffline();
}

void start();
