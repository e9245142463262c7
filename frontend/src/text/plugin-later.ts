// A plugin of the editor whose code is begun when somebody is about to write, or there is something for it to do, and may be
// fetched then: a text opens without it. It has its place among the others from the beginning, for one that came later would make the editor read the
// selection anew.
import type { Node } from "@tiptap/pm/model";
import { Plugin, type PluginKey } from "@tiptap/pm/state";

/**
 * `load` makes the real plugin, with this very key. Until it is here, and if it cannot be fetched, there is none. With
 * `wanted` it is for documents of which that is true, whoever writes in them.
 */
export function pluginLater<State>(key: PluginKey<State>, load: () => Promise<Plugin<State>>, wanted: ((doc: Node) => boolean) | null = null): Plugin<State | null> {
  let real: Plugin<State> | null = null;
  const plugin: Plugin<State | null> = new Plugin<State | null>({
    key: key as PluginKey<State | null>,
    state: {
      init: () => null,
      apply: (transaction, value, before, after) => {
        const state = real?.spec.state;
        if (real === null || state === undefined) return null;
        return value === null ? state.init.call(real, {}, after) : state.apply.call(real, transaction, value, before, after);
      },
    },
    props: {
      decorations: (state) => (real !== null && key.getState(state) !== null ? real.props.decorations?.call(real, state) : null),
      handleKeyDown: (view, event) => (real !== null && real.props.handleKeyDown?.call(real, view, event)) || false,
    },
    view: (view) => {
      let shown: ReturnType<NonNullable<typeof plugin.spec.view>> | null = null;
      let [asked, ended] = [false, false];
      const bring = (): void => {
        if (asked) return;
        asked = true;
        load().then(
          (there) => {
            if (ended) return;
            real = there;
            shown = there.spec.view?.call(there as never, view) ?? null;
            // Its state begins with one transaction; in the next it looks at what was written meanwhile, which may be for it.
            for (let times = 0; times < 2; times++) view.dispatch(view.state.tr.setMeta("addToHistory", false));
          },
          // Each letter would ask again.
          () => (asked = wanted !== null),
        );
      };
      if (wanted === null) view.dom.addEventListener("focus", bring);
      if (wanted === null ? view.hasFocus() : wanted(view.state.doc)) bring();
      return {
        update: (...how) => {
          const [{ state }, before] = how;
          if (wanted !== null && !asked && state.doc !== before.doc && wanted(state.doc)) bring();
          shown?.update?.(...how);
        },
        destroy: () => {
          ended = asked = true;
          view.dom.removeEventListener("focus", bring);
          shown?.destroy?.();
          real = null;
        },
      };
    },
  });
  return plugin;
}
