// How the page is built: one React app, every asset hashed into /assets so the server may let browsers keep it for ever.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the Weft server; the same default as `weft --listen`. */
const SERVER = "127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // The page's policy allows images from `data:`, but a file can be cached and compressed, a data address cannot.
    assetsInlineLimit: 0,
    // Vite's polyfill for module preloading is an inline concern of old browsers; ours all have it.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": { target: `http://${SERVER}` },
      "/ws": { target: `ws://${SERVER}`, ws: true },
    },
  },
  test: {
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
