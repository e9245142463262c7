// Nobody inside shares a colour with anybody, in whatever order people come and hear of each other, and nobody who was
// there first changes for somebody who comes. A failing run names its seed.
import { expect, test } from "vitest";
import { generator } from "../testing/random";
import { COLOURS } from "../ui/colours";
import { anotherColour } from "../ui/more-colours";
import { colourAmong, coloursOf } from "./worn";

interface Client {
  readonly client: number;
  readonly person: string;
  readonly since: number;
  colour: string;
  /** What this one has heard of everybody. */
  readonly states: Map<number, unknown>;
}

const user = ({ person, since, colour }: Client): unknown => ({ user: { id: person, color: colour, since } });

test.each(Array.from({ length: 60 }, () => Math.floor(Math.random() * 2 ** 31)))("people who come and go, seed %i", (seed) => {
  const random = generator(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const clients: Client[] = [];
  const say = (from: Client): void => {
    for (const other of clients) if (random() < 0.8) other.states.set(from.client, user(from));
    from.states.set(from.client, user(from));
  };
  const look = (client: Client): boolean => {
    const next = colourAmong(client.states, client) ?? anotherColour(coloursOf(client.states, client), random);
    const changed = next !== client.colour;
    client.colour = next;
    return changed;
  };
  const count = 2 + below(20);
  // Of another program, which knows nothing of ours.
  const foreign = { user: { name: "Script", color: (COLOURS[0] as string).toUpperCase() } };
  for (let at = 0; at < count; at += 1) {
    const tabs = random() < 0.3 && clients.length > 0 ? clients[below(clients.length)] : undefined;
    const client: Client = { client: 1 + below(2 ** 31), person: tabs?.person ?? `person ${at}`, since: random() < 0.3 ? 7 : at, colour: COLOURS[below(random() < 0.5 ? 3 : COLOURS.length)] ?? COLOURS[0], states: new Map([[0, foreign]]) };
    clients.push(client);
    say(client);
    const somebody = clients[below(clients.length)];
    if (somebody && look(somebody)) say(somebody);
  }
  // Everybody hears of everybody; whoever changes says so.
  for (let round = 0, changed = true; changed; round += 1) {
    expect(round).toBeLessThan(60);
    changed = false;
    for (const client of clients) {
      for (const other of clients) client.states.set(other.client, user(other));
      if (look(client)) changed = true;
    }
  }
  const worn = new Map<string, Set<string>>();
  for (const { person, colour } of clients) worn.set(person, (worn.get(person) ?? new Set()).add(colour));
  for (const [person, colours] of worn) expect([person, colours.size]).toEqual([person, 1]);
  const all = [COLOURS[0], ...[...worn.values()].flatMap((colours) => [...colours])];
  expect(new Set(all).size).toBe(all.length);
});

test("whoever was there first keeps theirs; an odd announcement is no colour", () => {
  const ann = { client: 9, person: "ann", since: 1, colour: "#0e7490" };
  const bo = { client: 2, person: "bo", since: 2, colour: "#0e7490" };
  const states = new Map<number, unknown>([
    [9, { user: { id: "ann", color: ann.colour, since: 1 } }],
    [2, { user: { id: "bo", color: bo.colour, since: 2 } }],
    [3, { user: { color: "red" } }],
    [4, null],
    [5, { user: null }],
  ]);
  expect(colourAmong(states, ann)).toBe("#0e7490");
  expect(COLOURS.filter((colour) => colour !== "#0e7490")).toContain(colourAmong(states, bo));
});
