// What this page does to a document on the server it also does to what lies on this device.
import type { Api } from "../documents/api";
import { unsentDocuments } from "../documents/unsent";
import { forgetKept, listedDocuments, rememberListed, rememberTrashed } from "./kept";
import { sendSoon } from "./sender";

/** The same interface, which also keeps this device's own record true: what is gone for ever leaves no copy here. */
export function remembering(api: Api): Api {
  return {
    ...api,
    moveToTrash: (name) => api.moveToTrash(name).then(() => rememberTrashed(name, true)),
    restore: async (name) => {
      await api.restore(name);
      rememberTrashed(name, false);
      if (unsentDocuments().includes(name)) void import("./send-unsent").then(({ askAgain }) => askAgain(name).then(() => sendSoon(name))).catch(() => undefined);
    },
    deleteForEver: async (name) => {
      await api.deleteForEver(name);
      forgetKept(name);
      rememberListed(listedDocuments().filter((listed) => listed.name !== name));
      // What cannot be removed now is a copy that the settings no longer list; it says so itself when it is opened.
      void import("./forget").then(({ forgetDocument }) => forgetDocument(name)).catch(() => undefined);
    },
  };
}
