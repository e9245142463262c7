// Names the files that the service worker does not fetch as it is installed, for the page to fetch when it is at rest. The
// list has no hash in its name: it is asked for when the server is there, and always tells of the newest files.
import type { Plugin } from "vite";

/** Read by src/ui/offline.ts. */
const LIST = "later.json";

export function fetchedLater(isLater: (file: string) => boolean): Plugin {
  return {
    name: "weft:fetched-later",
    apply: "build",
    generateBundle: {
      // After the plugins that bring files of their own.
      order: "post",
      handler(_, bundle) {
        const files = Object.keys(bundle).filter(isLater).sort();
        if (files.length === 0) this.error("no file is fetched later: have their folders changed?");
        this.emitFile({ type: "asset", fileName: LIST, source: JSON.stringify(files.map((file) => `/${file}`)) });
      },
    },
  };
}
