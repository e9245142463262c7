// Which of the app's own layers is open; at most one is.
import { createStore } from "./store";

export type Layer = "palette" | "help";

export const openLayer = createStore<Layer | null>(null);
