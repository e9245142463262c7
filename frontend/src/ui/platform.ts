// What the keys are called here.

const APPLE = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);

export const MOD = APPLE ? "⌘" : "Ctrl";
export const ALT = APPLE ? "⌥" : "Alt";
