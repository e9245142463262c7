// Imported before Excalidraw, which reads these when it is loaded.
declare global {
  interface Window {
    EXCALIDRAW_ASSET_PATH?: string;
    EXCALIDRAW_THROTTLE_RENDER?: boolean;
  }
}

/** Its fonts are on our own server, beside the hashed files. */
window.EXCALIDRAW_ASSET_PATH = "/assets/";
/** A large board is drawn once per frame, however many messages arrive in it. */
window.EXCALIDRAW_THROTTLE_RENDER = true;

export {};
