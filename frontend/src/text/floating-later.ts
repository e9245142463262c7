// Takes the place of `@floating-ui/dom` in Tiptap's menus at the caret and over a selection (vite.config.ts): the same
// functions, with what is behind them fetched when a menu is first placed. Opening a text does not wait for it.
import type * as FloatingUi from "@floating-ui/dom";
import type { ComputePositionConfig, Middleware } from "@floating-ui/dom";
import { whenAtRest } from "../ui/at-rest";

type Real = typeof FloatingUi;

let coming: Promise<Real> | null = null;
const real = (): Promise<Real> =>
  (coming ??= import("@floating-ui/dom").catch((error: unknown) => {
    coming = null;
    throw error;
  }));
whenAtRest(() => void real().catch(() => undefined));

/** What stands for a middleware until then. */
interface Promised {
  readonly make: (from: Real) => Middleware;
}

type Name = "arrow" | "autoPlacement" | "flip" | "hide" | "inline" | "offset" | "shift" | "size";

const promised =
  <Of extends Name>(name: Of) =>
  (options?: never): Promised => ({ make: (from) => from[name](options as never) });

export const arrow = promised("arrow");
export const autoPlacement = promised("autoPlacement");
export const flip = promised("flip");
export const hide = promised("hide");
export const inline = promised("inline");
export const offset = promised("offset");
export const shift = promised("shift");
export const size = promised("size");

type Config = Omit<Partial<ComputePositionConfig>, "middleware"> & { readonly middleware?: readonly (Promised | Middleware)[] };

export async function computePosition(reference: Parameters<Real["computePosition"]>[0], floating: HTMLElement, config: Config = {}): ReturnType<Real["computePosition"]> {
  const from = await real();
  const middleware = (config.middleware ?? []).map((one) => ("make" in one ? one.make(from) : one));
  return from.computePosition(reference, floating, { ...config, middleware });
}

export function autoUpdate(...how: Parameters<Real["autoUpdate"]>): () => void {
  let end: (() => void) | null = null;
  let ended = false;
  real().then(
    (from) => {
      if (!ended) end = from.autoUpdate(...how);
    },
    () => undefined, // it stands where it was first put
  );
  return () => {
    ended = true;
    end?.();
  };
}
