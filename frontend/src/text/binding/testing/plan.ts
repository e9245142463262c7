// Plans of what several people do to one text at once, made from a seed: who types, presses a key, chooses a command, who
// hears of whose changes when, who is cut off, who loads the page again. A plan is plain data, so that one that fails can be
// made shorter and played again.
import { Fragment, type Node, Slice } from "@tiptap/pm/model";
import { TextSelection } from "@tiptap/pm/state";
import { cellAround, CellSelection, TableMap } from "@tiptap/pm/tables";
import { applyUpdate, type Doc, mergeUpdates } from "yjs";
import { seeded } from "../../../testing/random";
import { moveSelected } from "../../move-blocks";
import { type Person, press, REMOTE } from "./person";

export type Act =
  | { readonly act: "hear"; readonly who: number; readonly from: number; readonly count: number }
  | { readonly act: "reload"; readonly who: number }
  | { readonly act: "cut"; readonly who: number; readonly steps: number }
  | { readonly act: "do"; readonly who: number; readonly what: Doing; readonly at: number; readonly to: number; readonly token: string };

export interface Plan {
  readonly people: number;
  readonly acts: readonly Act[];
}

/** What to do at a place; most of it is what the toolbar and the keys do. */
const DOINGS = {
  type: 30,
  enter: 10,
  backspace: 6,
  delete: 5,
  deleteSelection: 4,
  paste: 4,
  break: 2,
  heading: 5,
  paragraph: 3,
  bullets: 5,
  numbers: 4,
  tasks: 4,
  check: 2,
  quote: 4,
  code: 4,
  rule: 2,
  bold: 3,
  italic: 2,
  link: 2,
  picture: 2,
  mention: 1,
  indent: 5,
  outdent: 5,
  table: 2,
  rowAfter: 3,
  rowBefore: 1,
  columnAfter: 3,
  columnBefore: 1,
  deleteRow: 2,
  deleteColumn: 2,
  deleteTable: 1,
  header: 1,
  mergeCells: 3,
  splitCell: 2,
  moveUp: 3,
  moveDown: 3,
  undo: 8,
  redo: 4,
} as const;
export type Doing = keyof typeof DOINGS;

export function makePlan(seed: number, allowed: (doing: Doing) => boolean = () => true): Plan {
  const random = seeded(seed);
  const people = 2 + random(4);
  const length = 8 + random(50);
  const doings = (Object.entries(DOINGS) as [Doing, number][]).filter(([doing]) => allowed(doing));
  const all = doings.reduce((sum, [, weight]) => sum + weight, 0);
  const doing = (): Doing => {
    let left = random(all);
    return doings.find(([, weight]) => (left -= weight) < 0)?.[0] ?? "type";
  };
  const acts: Act[] = [];
  for (let step = 0; step < length; step++) {
    const who = random(people);
    const kind = random(100);
    if (kind < 30) acts.push({ act: "hear", who, from: random(people), count: 1 + random(6) });
    else if (kind < 32) acts.push({ act: "reload", who });
    else if (kind < 34) acts.push({ act: "cut", who, steps: 5 + random(20) });
    else {
      const what = doing();
      // What two move at once is there twice: one of them moves.
      acts.push({ act: "do", who: isMove(what) ? 0 : who, what, at: random(1e6), to: random(1e6), token: `<0${LETTERS[step] ?? ""}${"abcdefgh"[random(8)]}>` });
    }
  }
  return { people, acts };
}

/** One for each act of a plan. */
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const isMove = (what: Doing): boolean => what === "moveUp" || what === "moveDown";

/** Something that must not have happened. */
export class Fault extends Error {}

export interface Rules {
  readonly create: (doc: Doc) => Person;
  readonly doc: (clientID: number, from: Doc | null) => Doc;
  /** Called after each act of somebody, and at the end for each. */
  readonly check: (person: Person, step: number) => void;
  /** Whether it is a fault if somebody's own act takes away a token that it had nothing to do with. */
  readonly strict: boolean;
}

/**
 * All equally long, so that what is left of one is none; and in each is a letter that is in no other, so that what is left of
 * two is none that was there before.
 */
const TOKEN = /<0[0-9a-zA-Z\u0430-\u047a][a-h]>/g;

/** Another for the same act. */
const second = (token: string): string => token.slice(0, 2) + String.fromCharCode(token.charCodeAt(2) + 0x400) + token.slice(3);

export interface Outcome {
  /** Tokens that are not there once and whole, and should be. */
  readonly lost: readonly string[];
  /** Those there more than once, whoever deleted them before. */
  readonly doubled: readonly string[];
  /** Whether all see the same at the end. */
  readonly equal: boolean;
  /** What the first of them sees at the end. */
  readonly view: string;
}

export function play({ people: count, acts }: Plan, rules: Rules): Outcome {
  const clients = { next: 1 };
  const inboxes = Array.from({ length: count }, () => Array.from({ length: count }, (): Uint8Array[] => []));
  const written = new Map<string, number>();
  /** Tokens that somebody who saw them deleted, or pressed Enter in. */
  const excused = new Set<string>();
  /** Who took a token away. */
  const takers = new Map<string, Set<number>>();
  const cutOff = new Map<number, number>();
  // What one act writes goes on its way at once: nobody sees, and deletes, a part of a token.
  let outbox: Uint8Array[] = [];
  let acting = false;
  const send = (from: number): void => {
    if (outbox.length === 0 || acting) return;
    const update = mergeUpdates(outbox);
    outbox = [];
    inboxes.forEach((inbox, to) => {
      if (to !== from) inbox[from]?.push(update);
    });
  };
  const join = (from: Doc | null): Person => {
    const doc = rules.doc(clients.next++, from);
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== REMOTE) outbox.push(update);
    });
    return rules.create(doc);
  };
  const people = Array.from({ length: count }, () => join(null));
  const hear = (who: number, from: number, most: number): void => {
    const updates = inboxes[who]?.[from]?.splice(0, most) ?? [];
    if (updates.length === 0) return;
    const { doc } = people[who] as Person;
    doc.transact(() => {
      for (const update of updates) applyUpdate(doc, update, REMOTE);
      // A server passes on nothing that rests on what it did not pass on before: half a token would be a token to its reader.
      for (let other = 0; other < count && doc.store.pendingStructs !== null; other++) for (const earlier of inboxes[who]?.[other]?.splice(0) ?? []) applyUpdate(doc, earlier, REMOTE);
    }, REMOTE);
    // Yjs tidies up formatting that has no effect any more, and tells the others.
    send(who);
  };
  const isCutOff = (who: number, step: number): boolean => (cutOff.get(who) ?? -1) >= step;
  try {
    acts.forEach((act, step) => {
      const person = people[act.who];
      if (person === undefined) return;
      switch (act.act) {
        case "hear":
          if (isCutOff(act.who, step) || isCutOff(act.from, step)) return;
          hear(act.who, act.from, act.count);
          break;
        case "cut":
          cutOff.set(act.who, step + act.steps);
          return;
        case "reload":
          people[act.who] = join(person.doc);
          person.close();
          break;
        case "do": {
          const before = tokensIn(person.editor.state.doc);
          acting = true;
          const { touched, wrote } = perform(person, act, () => {
            // Somebody else's changes arrive while one types.
            for (let from = 0; from < count && !isCutOff(act.who, step); from++) if (!isCutOff(from, step)) hear(act.who, from, 2);
          });
          acting = false;
          send(act.who);
          for (const token of wrote) written.set(token, act.who);
          for (const token of touched) excused.add(token);
          const after = tokensIn(person.editor.state.doc);
          const gone = [...before.keys()].filter((token) => written.has(token) && !after.has(token));
          for (const token of gone) takers.set(token, new Set([...(takers.get(token) ?? []), act.who]));
          const missing = gone.filter((token) => !excused.has(token));
          const own = act.what === "undo" || act.what === "redo";
          for (const token of missing) {
            const theirs = own && written.get(token) !== act.who;
            if (rules.strict && (!mayTake(act.what) || theirs)) throw new Fault(`step ${step}: ${act.what} by ${act.who} took ${token} of ${written.get(token)}`);
            if (mayTake(act.what)) excused.add(token);
          }
          break;
        }
      }
      rules.check(people[act.who] as Person, step);
    });
    while (inboxes.flat().some((inbox) => inbox.length > 0)) for (let who = 0; who < count; who++) for (let from = 0; from < count; from++) hear(who, from, Infinity);
    people.forEach((person) => rules.check(person, acts.length));
    const [first] = people;
    if (first === undefined) return { lost: [], doubled: [], equal: true, view: "" };
    const there = tokensIn(first.editor.state.doc);
    // What its author took back, and wrote again, before hearing that it was moved, is there twice; and so is what two took away
    // at once and both brought back, for in the shared data neither undo knows of the other.
    const mayDouble = (token: string): boolean => excused.has(token) && ((takers.get(token)?.size ?? 0) > 1 || acts.some((act) => act.act === "do" && isMove(act.what)));
    const lost = [...written.keys()].filter((token) => !excused.has(token) && there.get(token) !== 1);
    const doubled = [...there].filter(([token, times]) => times > 1 && written.has(token) && !mayDouble(token)).map(([token]) => token);
    // Each editor has a schema of its own.
    const views = people.map(({ editor }) => JSON.stringify(editor.state.doc.toJSON()));
    const equal = views.every((view) => view === views[0]);
    return { lost, doubled, equal, view: first.editor.state.doc.toString() };
  } finally {
    for (const person of people) person.close();
  }
}

/** Acts that take away what is selected, or what one did oneself. */
function mayTake(what: Doing): boolean {
  return ["deleteSelection", "paste", "deleteRow", "deleteColumn", "deleteTable", "undo", "redo"].includes(what);
}

function tokensIn(doc: Node): Map<string, number> {
  const found = new Map<string, number>();
  doc.descendants((node) => {
    if (!node.isTextblock) return true;
    for (const [token] of node.textBetween(0, node.content.size, "", "\n").matchAll(TOKEN)) found.set(token, (found.get(token) ?? 0) + 1);
    return false;
  });
  return found;
}

interface Acted {
  /** Tokens that were deleted, or Enter was pressed in. */
  readonly touched: readonly string[];
  readonly wrote: readonly string[];
}

interface Spot {
  readonly position: number;
  /** The token that it is inside of. */
  readonly inside: string | null;
  readonly start: boolean;
  readonly end: boolean;
}

/** Every place for a caret in a line. */
function placesIn(doc: Node): readonly Spot[] {
  const places: Spot[] = [];
  doc.descendants((node, position) => {
    if (!node.isTextblock) return true;
    const text = node.textBetween(0, node.content.size, "", "\n");
    const tokens = [...text.matchAll(TOKEN)];
    for (let offset = 0; offset <= node.content.size; offset++) {
      const inside = tokens.find(({ index, 0: token }) => index < offset && offset < index + token.length)?.[0] ?? null;
      places.push({ position: position + 1 + offset, inside, start: offset === 0, end: offset === node.content.size });
    }
    return false;
  });
  return places;
}

function perform(person: Person, { what, at, to, token }: Extract<Act, { act: "do" }>, meanwhile: () => void): Acted {
  const { editor } = person;
  const nothing = { touched: [], wrote: [] };
  if (what === "undo" || what === "redo") {
    person[what]();
    return nothing;
  }
  const all = placesIn(editor.state.doc);
  const among = all.filter(({ inside, start, end }) => (what === "enter" || what === "deleteSelection" ? true : what === "backspace" ? start : what === "delete" ? end : inside === null));
  const place = among[at % among.length];
  if (place === undefined) return nothing;
  const area = (position: number): Node | null => {
    const $position = editor.state.doc.resolve(position);
    for (let depth = $position.depth; depth > 0; depth--) if ($position.node(depth).type.spec.tableRole === "cell" || $position.node(depth).type.spec.tableRole === "header_cell") return $position.node(depth);
    return null;
  };
  const others = ["deleteSelection", "paste", "bold", "italic", "link", "heading", "bullets", "numbers", "tasks", "quote", "code", "paragraph"].includes(what) && to % 3 !== 0 ? among[(at + (to % 24)) % among.length] : place;
  // Half a table cannot be selected: the page selects whole cells then.
  const other = others !== undefined && area(others.position) === area(place.position) ? others : place;
  const [from, until] = [Math.min(place.position, other.position), Math.max(place.position, other.position)];
  const { doc, tr } = editor.state;
  editor.view.dispatch(tr.setSelection(TextSelection.between(doc.resolve(from), doc.resolve(until))));
  const selected = what === "deleteSelection" || what === "paste" ? [...all.filter(({ inside, position }) => inside !== null && position > from && position <= until).map(({ inside }) => inside as string), ...all.filter(({ inside, position }) => inside !== null && position >= from && position < until).map(({ inside }) => inside as string)] : [];
  return act(person, what, place, token, to, selected, meanwhile);
}

function act(person: Person, what: Doing, place: Spot, token: string, chance: number, selected: readonly string[], meanwhile: () => void): Acted {
  const { editor } = person;
  const { commands } = editor;
  const nothing = { touched: [], wrote: [] };
  switch (what) {
    case "type":
      // One key after the other, or all at once behind what others did in between, as a composed word comes.
      if (chance % 4 === 0)
        person.compose(() => {
          meanwhile();
          // What is composed is written anew with each key.
          const { from } = editor.state.selection;
          const part = token.slice(0, chance % 3);
          if (part !== "") {
            editor.view.dispatch(editor.state.tr.insertText(part));
            const start = editor.state.selection.from - part.length;
            meanwhile();
            const { head } = editor.state.selection;
            if (start < from || head - part.length < 0 || editor.state.doc.textBetween(head - part.length, head) !== part) throw new Fault("what is composed was touched");
            editor.view.dispatch(editor.state.tr.insertText(token, head - part.length, head));
          } else editor.view.dispatch(editor.state.tr.insertText(token));
        });
      else
        [...token].forEach((letter, at) => {
          if (at === 2 && chance % 4 === 2) meanwhile();
          editor.view.dispatch(editor.state.tr.insertText(letter));
        });
      return { touched: [], wrote: [token] };
    case "enter":
      press(editor, "Enter");
      return { touched: place.inside === null ? [] : [place.inside], wrote: [] };
    case "backspace":
      press(editor, "Backspace");
      return nothing;
    case "delete":
      press(editor, "Delete");
      return nothing;
    case "deleteSelection":
      if (!editor.state.selection.empty) commands.deleteSelection();
      return { touched: selected, wrote: [] };
    case "paste": {
      const { paragraph } = editor.schema.nodes;
      const tokens = [token, ...(chance % 2 === 0 ? [second(token)] : [])];
      const slice = new Slice(Fragment.fromArray(tokens.map((one) => paragraph!.create(null, editor.schema.text(one)))), 1, 1);
      editor.view.dispatch(editor.state.tr.replaceSelection(slice));
      const there = tokensIn(editor.state.doc);
      return { touched: selected, wrote: tokens.filter((one) => there.has(one)) };
    }
    case "break":
      commands.setHardBreak();
      return nothing;
    case "heading":
      commands.setHeading({ level: ((chance % 3) + 1) as 1 | 2 | 3 });
      return nothing;
    case "paragraph":
      commands.setParagraph();
      return nothing;
    case "bullets":
      commands.toggleBulletList();
      return nothing;
    case "numbers":
      commands.toggleOrderedList();
      return nothing;
    case "tasks":
      commands.toggleTaskList();
      return nothing;
    case "check":
      commands.updateAttributes("taskItem", { checked: chance % 2 === 0 });
      return nothing;
    case "quote":
      commands.toggleBlockquote();
      return nothing;
    case "code":
      commands.toggleCodeBlock();
      return nothing;
    case "rule":
      commands.setHorizontalRule();
      return nothing;
    case "bold":
      commands.toggleBold();
      return nothing;
    case "italic":
      commands.toggleItalic();
      return nothing;
    case "link":
      commands.setLink(`https://example.org/${chance % 3}`);
      return nothing;
    case "picture":
      commands.setImage({ src: `/api/v1/documents/x/attachments/${chance % 5}`, alt: "a" });
      return nothing;
    case "mention":
      commands.insertContent({ type: "mention", attrs: { id: "u1", label: "Ann" } });
      return nothing;
    case "indent":
      press(editor, "Tab");
      return nothing;
    case "outdent":
      press(editor, "Tab", { shiftKey: true });
      return nothing;
    case "table":
      if (editor.isActive("table")) return nothing;
      commands.insertTable({ rows: 2, cols: 2, withHeaderRow: chance % 2 === 0 });
      return nothing;
    case "rowAfter":
      commands.addRowAfter();
      return nothing;
    case "rowBefore":
      commands.addRowBefore();
      return nothing;
    case "columnAfter":
      commands.addColumnAfter();
      return nothing;
    case "columnBefore":
      commands.addColumnBefore();
      return nothing;
    case "deleteRow":
      commands.deleteRow();
      return nothing;
    case "deleteColumn":
      commands.deleteColumn();
      return nothing;
    case "deleteTable":
      commands.deleteTable();
      return nothing;
    case "header":
      commands.toggleHeaderRow();
      return nothing;
    case "mergeCells": {
      // With the cell beside it, or beneath, or both.
      const { selection, doc } = editor.state;
      const $cell = cellAround(selection.$head);
      if ($cell === null) return nothing;
      const map = TableMap.get($cell.node(-1));
      const { left, top } = map.findCell($cell.pos - $cell.start(-1));
      const [column, row] = [Math.min(left + (chance % 3 === 0 ? 0 : 1), map.width - 1), Math.min(top + (chance % 3 === 1 ? 0 : 1), map.height - 1)];
      editor.view.dispatch(editor.state.tr.setSelection(CellSelection.create(doc, $cell.pos, $cell.start(-1) + (map.map[row * map.width + column] ?? 0))));
      editor.commands.mergeCells();
      return nothing;
    }
    case "splitCell":
      commands.splitCell();
      return nothing;
    case "moveUp":
      moveSelected(editor, -1);
      return nothing;
    case "moveDown":
      moveSelected(editor, 1);
      return nothing;
    case "undo":
    case "redo":
      return nothing;
  }
}

/** The shortest plan that still fails in the same way, as far as leaving out acts finds one. */
export function shrunk(plan: Plan, fails: (plan: Plan) => boolean): Plan {
  let best = plan;
  for (let size = Math.ceil(plan.acts.length / 2); size >= 1; ) {
    let smaller = false;
    for (let from = 0; from < best.acts.length; ) {
      const acts = [...best.acts.slice(0, from), ...best.acts.slice(from + size)];
      if (acts.length < best.acts.length && fails({ ...best, acts })) {
        best = { ...best, acts };
        smaller = true;
      } else from += size;
    }
    if (!smaller || size > 1) size = size === 1 ? (smaller ? 1 : 0) : Math.ceil(size / 2);
  }
  return best;
}
