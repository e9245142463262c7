// The parts of the service worker that are ours, each one script without imports: that is all a worker can read. Workbox
// makes the rest of it, and is told of the first part in vite.config.ts; that one asks for the second.
import { build, type Plugin } from "vite";

const PARTS = {
  "worker-sync.js": "src/worker/sync.ts",
  "send-unsent.js": "src/worker/send.ts",
};

/** Not for the cache of pages: the browser keeps them with the worker. */
export const WORKER_PARTS = Object.keys(PARTS);

export function workerParts(): Plugin {
  let root = "";
  return {
    name: "weft:worker-parts",
    apply: "build",
    configResolved: (config) => void (root = config.root),
    async generateBundle() {
      for (const [fileName, entry] of Object.entries(PARTS)) {
        this.emitFile({ type: "asset", fileName, source: await oneScript(root, entry) });
      }
    },
  };
}

async function oneScript(root: string, entry: string): Promise<string> {
  const built = await build({
    root,
    configFile: false,
    logLevel: "warn",
    define: { "process.env.NODE_ENV": '"production"' },
    build: { write: false, copyPublicDir: false, target: "es2023", modulePreload: false, lib: { entry, formats: ["iife"], name: "part" } },
  });
  const [first] = [built].flat();
  if (first === undefined || !("output" in first) || first.output.length !== 1) throw new Error(`${entry} is not one script`);
  return first.output[0].code;
}
