// One round of sending: each document that waits, one after the other, in its turn. A trouble of one document is its own;
// a server that is not there, or wants to be left alone, ends the round, and the next begins behind where this one ended.
import type { DocumentName } from "../documents/name";
import { isLater, LATER, type Later, type Sending } from "../sync/send-copy";
import { inTurn } from "../sync/turn";

export interface RoundPorts {
  /** Whether anything of it waits. Rejects where that cannot be found out. */
  readonly waits: (name: DocumentName) => Promise<boolean>;
  /** Sends it: what became of each part. */
  readonly send: (name: DocumentName) => Promise<readonly Sending[]>;
  /** Nothing of it waits. Not called while it is open anywhere. */
  readonly settle?: (name: DocumentName) => Promise<void>;
}

export interface Round {
  /** The server has more than before. */
  readonly sent: boolean;
  /** Something waits for what passes by itself, and is worth another try. */
  readonly more: boolean;
  /** The server is not to be asked before so many ms are over. */
  readonly wait: number;
}

export interface Rounds {
  readonly go: (names: readonly DocumentName[]) => Promise<Round>;
  /** Whatever was the matter with it: it is tried again in the next round. */
  readonly retry: (name: string) => void;
}

/** A document that fails by itself rests for so long after the first failure, and at most, in ms. */
const REST = 2_000;
const LONGEST_REST = 10 * 60_000;

export function openRounds(ports: RoundPorts, now: () => number = Date.now): Rounds {
  const resting = new Map<string, { readonly times: number; readonly until: number }>();
  let last: DocumentName | null = null;

  const rest = (name: string, after: number): void => {
    const times = (resting.get(name)?.times ?? 0) + 1;
    resting.set(name, { times, until: now() + Math.max(after, Math.min(REST * 2 ** (times - 1), LONGEST_REST)) });
  };
  const one = async (name: DocumentName): Promise<readonly Sending[] | "held"> => {
    try {
      const waits = await ports.waits(name);
      const outcomes = await inTurn(name, async () => {
        const outcomes = waits ? await ports.send(name) : [];
        if (!outcomes.some(isLater)) await ports.settle?.(name);
        return outcomes;
      });
      // Open in another page, or under way from there; that page may end without having sent it.
      return outcomes ?? (waits ? "held" : []);
    } catch {
      // What lies here cannot be read or written at the moment.
      return [LATER];
    }
  };

  return {
    go: async (names) => {
      let [sent, more] = [false, false];
      // Whoever is first again each time would starve all others.
      const begin = last === null ? 0 : names.findIndex((name) => last !== null && name > last);
      const order = begin <= 0 ? names : [...names.slice(begin), ...names.slice(0, begin)];
      last = null;
      for (const name of order) {
        if ((resting.get(name)?.until ?? 0) > now()) {
          more = true;
          continue;
        }
        const outcomes = await one(name);
        if (outcomes === "held") {
          more = true;
          continue;
        }
        sent ||= outcomes.includes("sent");
        const troubles: readonly Later[] = outcomes.filter(isLater);
        const everywhere = troubles.find((trouble) => trouble.everywhere);
        if (everywhere !== undefined) {
          last = name;
          return { sent, more: true, wait: everywhere.after };
        }
        if (troubles.length === 0) resting.delete(name);
        else {
          more = true;
          rest(name, Math.max(...troubles.map(({ after }) => after)));
        }
      }
      return { sent, more, wait: 0 };
    },
    retry: (name) => void resting.delete(name),
  };
}
