// How the page is built: one React app, every asset hashed into /assets so the server may let browsers keep it for ever,
// and a service worker that opens the app without a network.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { VitePWA } from "vite-plugin-pwa";
import { defineConfig } from "vitest/config";
import { excalidraw } from "./scripts/excalidraw.ts";
import { fetchedLater } from "./scripts/fetched-later.ts";
import { noTiptapMarkdown } from "./scripts/no-tiptap-markdown.ts";
import { WORKER_PARTS, workerParts } from "./scripts/worker-parts.ts";

/** Where `npm run dev` finds the Weft server; the same default as `weft --listen`. */
const SERVER = "127.0.0.1:8080";

/** What the server answers itself: never the page, and never from a cache. Mirrors the route table of src/http/mod.rs. */
const NOT_THE_PAGE = /^\/(api|ws|collab|chat|hocuspocus|metrics|livez|readyz|assets)(\/|$)/;

/** What the first page consists of, whichever it is: the shell of the app and what it stands on. */
const ALWAYS_HERE = /^assets\/(index|react|rolldown-runtime|preload-helper|createLucideIcon|refresh-cw|cloud-off|people|name|fetched|toast|live-region|panel|x)-[^/]*\.js$/;

export default defineConfig({
  plugins: [
    react(),
    excalidraw(),
    {
      // Tiptap's menus place themselves with a library that src/text/floating-later.ts fetches when it is needed.
      name: "weft:floating-later",
      enforce: "pre",
      resolveId: (source, importer) =>
        source === "@floating-ui/dom" && /\/@tiptap\/(suggestion|extension-bubble-menu)\//.test(importer ?? "") ? fileURLToPath(new URL("src/text/floating-later.ts", import.meta.url)) : null,
    },
    {
      // yjs writes to the console through lib0's DOM helpers, and those describe what they take in lib0's language of
      // schemas: 12 KB that nobody asks.
      name: "weft:no-schemas",
      enforce: "pre",
      resolveId: (source, importer) => (source === "./schema.js" && /\/lib0\/dom\.js$/.test(importer ?? "") ? "\0weft:no-schemas" : null),
      load: (id) => (id === "\0weft:no-schemas" ? "export const $custom = () => undefined;" : null),
    },
    {
      // Undo is the shared data's (src/text/binding/undo.ts); Tiptap's core asks for ProseMirror's own history all the same.
      name: "weft:no-history",
      enforce: "pre",
      resolveId: (source) => (source === "@tiptap/pm/history" ? fileURLToPath(new URL("src/text/no-history.ts", import.meta.url)) : null),
    },
    noTiptapMarkdown(),
    fetchedLater((file) => /^assets\/(board|fonts\/Excalifont)\//.test(file)),
    workerParts(),
    VitePWA({
      registerType: "prompt",
      // src/ui/offline.ts registers: the page's policy forbids inline scripts, and only the tab that asks is reloaded.
      injectRegister: null,
      manifestFilename: "manifest.webmanifest",
      manifest: {
        id: "/",
        name: "Weft",
        short_name: "Weft",
        description: "Write together. Keep working when the network does not.",
        lang: "en",
        start_url: "/",
        scope: "/",
        display: "standalone",
        background_color: "#fbfaf8",
        theme_color: "#fbfaf8",
        icons: [
          { src: "/favicon.svg", sizes: "any", type: "image/svg+xml" },
          { src: "/icons/192.png", sizes: "192x192", type: "image/png" },
          { src: "/icons/512.png", sizes: "512x512", type: "image/png" },
          { src: "/icons/maskable-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
      workbox: {
        globPatterns: ["**/*.{js,css,html,svg,webmanifest}"],
        // Heavy, and not everybody draws: the app must not wait for it to be installed. Fetched at rest (src/ui/offline.ts).
        globIgnores: ["assets/board/**", ...WORKER_PARTS],
        // Woken without a page, it sends what waits here.
        importScripts: ["/worker-sync.js"],
        dontCacheBustURLsMatching: /^assets\//,
        navigateFallback: "index.html",
        navigateFallbackDenylist: [NOT_THE_PAGE],
        cleanupOutdatedCaches: true,
        // The first visit is looked after at once, so that a reload without a network already works.
        clientsClaim: true,
        inlineWorkboxRuntime: true,
        sourcemap: false,
        runtimeCaching: [
          {
            urlPattern: ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith("/assets/"),
            handler: "CacheFirst",
            options: { cacheName: "weft-assets", expiration: { maxEntries: 400 } },
          },
        ],
      },
    }),
  ],
  build: {
    target: "es2023",
    // The page's policy allows images from `data:`, but a file can be cached and compressed, a data address cannot.
    assetsInlineLimit: 0,
    // Vite's polyfill for module preloading is an inline concern of old browsers; ours all have it.
    modulePreload: {
      polyfill: false,
      // A part that is fetched later says which others it needs, so that all are fetched at once; those that every page
      // has by then need not be said, in each of those lists.
      resolveDependencies: (_part, needs, { hostType }) => (hostType === "js" ? needs.filter((file) => !ALWAYS_HERE.test(file)) : needs),
    },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        chunkFileNames: ({ moduleIds }) => `assets/${shelfOf(moduleIds)}[name]-[hash].js`,
        // What always travels together is one file: split by who else uses a part of it, it compresses worse and asks
        // for more round trips.
        codeSplitting: {
          groups: [
            { name: "react", priority: 2, test: /node_modules\/(react|react-dom|scheduler|i18next|react-i18next|use-sync-external-store|wouter|regexparam)\// },
            { name: "yjs", priority: 2, test: /node_modules\/(yjs|lib0|y-protocols)\// },
            // Both editors of words need these; in the group below they would drag one editor into the page of the other.
            // The signs of every page of a document, of which each would be a file of its own because other pages use it too.
            { name: "signs", priority: 2, test: /node_modules\/lucide-react\/dist\/esm\/(createLucideIcon|defaultAttributes|Icon|context|shared\/.*|icons\/(star|cloud-off|refresh-cw|arrow-left|search|trash(-2)?|x))\.m?js/ },
            // Small, and used by most of what is fetched later in one selection or another: by themselves, four files.
            { name: "waits", priority: 2, test: /src\/(sync\/(behind|channel|close|turn)|documents\/waiting-store)\.ts$/ },
            // What a document is called: read in one place, written in three, and all of it in every page of one.
            { name: "title", priority: 2, test: /src\/documents\/(roots|title|title-input|title-field)\.tsx?$/ },
            // Who is there, with the settings and the stores that is kept in, of which every page needs some; and what stands
            // beside a document.
            { name: "people", priority: 2, test: /src\/presence\/(people|worn)\.ts$/ },
            { name: "rail", priority: 2, test: /src\/(ui\/rail|chat\/quote)\.ts$/ },
            { name: "keys", priority: 2, test: /node_modules\/w3c-keyname\// },
            { name: "floating", priority: 2, test: /node_modules\/@floating-ui\// },
            { name: "writing", test: /node_modules\/(prosemirror-(?!search|highlight|markdown|dropcursor|gapcursor)[a-z-]+|@tiptap\/(core|pm(?!\/(dist\/)?(dropcursor|gapcursor))|extensions(?!\/dist\/(drop|gap)-cursor)|extension-(?!bubble|collaboration)[a-z-]+)|orderedmap|rope-sequence)\// },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      "/api": { target: `http://${SERVER}` },
      "/ws": { target: `ws://${SERVER}`, ws: true },
      "/hocuspocus": { target: `ws://${SERVER}`, ws: true },
      "/chat": { target: `ws://${SERVER}`, ws: true },
    },
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}"],
    // Against waiting for ever, not against being slow: the machine may have other work.
    testTimeout: 60_000,
  },
});

/** Chunks the service worker does not fetch ahead lie in a folder of their own. */
function shelfOf(moduleIds: readonly string[]): string {
  return moduleIds.some((id) => id.includes("/node_modules/@excalidraw/")) ? "board/" : "";
}
