// Random documents as their authors make them: a plan follows from a seed, and is carried out by a real version of Yjs.
// What the authors see, they say in `seen`; what they sent, in `updates`.
import * as Y14 from "@y/y";
import * as Y13 from "yjs";
import * as Y130 from "yjs-13.0";
import * as Y134 from "yjs-13.4";
import * as Y135 from "yjs-13.5";

/** The versions that make documents: the first of 13, two in between, the last, and the next. */
export const LIBRARIES = { "13.0": Y130, "13.4": Y134, "13.5": Y135, "13.6": Y13, 14: Y14 };

/** A generator of 32-bit numbers that is the same everywhere (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, chance: (p) => next() < p, of: (list) => list[below(list.length)] };
}

const WORDS = ["a", "words ", "漢字", "é", "line\n", " ", "0123456789"];
const KEYS = ["k", "colour", "x", "長い鍵", ""];

function deep(rng, levels) {
  let value = rng.of([1, "end", null]);
  for (let n = 0; n < levels; n++) value = n % 2 ? [value] : { a: value };
  return value;
}

function value(rng) {
  switch (rng.below(12)) {
    case 0: return rng.below(1 << 30) - (1 << 29);
    case 1: return rng.below(1000) / 7;
    case 2: return rng.of(["text", "", "漢字😀", "\u0000"]);
    case 3: return rng.chance(0.5);
    case 4: return null;
    case 5: return { name: rng.of(WORDS), list: [1, 2, { deep: true }], empty: {} };
    case 6: return [rng.below(10), "x", [], null];
    case 7: return new Uint8Array([1, 2, rng.below(256)]);
    case 8: return deep(rng, rng.chance(0.1) ? 100 : 5);
    case 9: return 2 ** 40 + rng.below(1000);
    case 10: return -0.5;
    default: return rng.below(10);
  }
}

/** Another document, as a document refers to it. */
function subdocument(rng, lib) {
  const options = rng.of([{}, { gc: false }, { autoLoad: true }, { meta: rng.of(["text", { title: "漢字", list: [1, 0.1] }, 0]) }]);
  return new lib.Doc({ guid: rng.of(["", `sub-${rng.below(1000)}`, "長い 名"]), ...options });
}

/** One author: a replica, and what it may undo. */
class Author {
  constructor(lib, options, id) {
    this.lib = lib;
    this.doc = new lib.Doc(options);
    this.doc.clientID = id;
    // Before 13.5 a replica with a deleted one cannot be encoded.
    this.subdocuments = typeof lib.mergeUpdates === "function";
    // 13.0 cannot read the hooks that it writes.
    this.hooks = lib !== Y130;
    this.map = this.doc.getMap("map");
    this.text = this.doc.getText("text");
    this.array = this.doc.getArray("array");
    this.xml = this.doc.getXmlFragment("xml");
  }

  undoes(rng) {
    const scope = rng.of([this.map, this.text, this.array, this.xml]);
    this.undo = new this.lib.UndoManager(scope, { captureTimeout: 0 });
  }

  /** Some type somewhere inside, of the kind asked for. */
  inside(rng, root, kind) {
    const found = [];
    const look = (type, level) => {
      if (type instanceof kind) found.push(type);
      if (level > 5) return;
      const children = type instanceof this.lib.Map ? [...type.values()] : typeof type.toArray === "function" ? type.toArray() : [];
      for (const child of children) if (child instanceof this.lib.AbstractType) look(child, level + 1);
    };
    look(root, 0);
    return found.length > 0 ? rng.of(found) : null;
  }

  type(rng) {
    const { lib } = this;
    switch (rng.below(6)) {
      case 0: return new lib.Map();
      case 1: return new lib.Array();
      case 2: return new lib.Text(rng.of(WORDS));
      case 3: return new lib.XmlElement(rng.of(["p", "div", "custom-node"]));
      case 4: return new lib.XmlText(rng.of(WORDS));
      default: return this.subdocuments ? subdocument(rng, lib) : new lib.Map();
    }
  }

  content(rng) {
    return rng.chance(0.25) ? this.type(rng) : value(rng);
  }

  step(rng) {
    const { lib } = this;
    switch (rng.below(15)) {
      case 0: case 1: case 2: {
        const map = this.inside(rng, this.map, lib.Map) ?? this.map;
        const key = rng.of(KEYS);
        // Again and again: what is superseded may stand in one item.
        for (let n = 1 + rng.below(4); n > 0; n--) map.set(key, this.content(rng));
        break;
      }
      case 3: {
        const map = this.inside(rng, this.map, lib.Map) ?? this.map;
        const keys = [...map.keys()];
        if (keys.length > 0) map.delete(rng.of(keys));
        break;
      }
      case 4: case 5: case 6: {
        const text = rng.chance(0.2) ? (this.inside(rng, this.map, lib.Text) ?? this.text) : this.text;
        const at = rng.below(text.length + 1);
        if (rng.chance(0.15)) text.insertEmbed(at, rng.of([{ image: "a.png" }, { n: deep(rng, 3) }, { at: [rng.below(10 ** 6) / 7, rng.below(10 ** 9) / 10 ** 9] }]));
        else text.insert(at, rng.of(WORDS), ...(rng.chance(0.2) ? [{ bold: rng.of([true, null]) }] : []));
        break;
      }
      case 7: {
        const { text } = this;
        const at = rng.below(text.length + 1);
        const length = Math.min(text.length - at, 1 + rng.below(rng.chance(0.1) ? 1000 : 5));
        if (length > 0 && rng.chance(0.5)) text.delete(at, length);
        else if (length > 0) text.format(at, length, { [rng.of(["bold", "colour"])]: rng.of([true, "#f00", null, { a: [1] }]) });
        break;
      }
      case 8: case 9: {
        const array = this.inside(rng, this.array, lib.Array) ?? this.array;
        const length = array.length;
        if (length > 0 && rng.chance(0.35)) array.delete(rng.below(length), 1);
        else array.insert(rng.below(length + 1), Array.from({ length: 1 + rng.below(3) }, () => this.content(rng)));
        break;
      }
      case 10: case 11: {
        const element = this.inside(rng, this.xml, lib.XmlElement);
        if (element && rng.chance(0.6)) {
          const name = rng.of(["class", "level"]);
          if (rng.chance(0.2)) element.removeAttribute(name);
          else for (let n = 1 + rng.below(3); n > 0; n--) element.setAttribute(name, rng.of(["1", "two", "三"]));
          break;
        }
        const parent = element && rng.chance(0.5) ? element : this.xml;
        const child = rng.of([
          () => new lib.XmlElement(rng.of(["p", "h1"])),
          () => new lib.XmlText(rng.of(WORDS)),
          () => (rng.chance(0.2) && this.hooks ? new lib.XmlHook(rng.of(["hook", "三", ""])) : new lib.XmlElement("p")),
        ])();
        parent.insert(rng.below(parent.length + 1), [child]);
        break;
      }
      case 12: {
        // A hook is a map that stands in XML.
        const hook = this.hooks && this.inside(rng, this.xml, lib.XmlHook);
        if (!hook) break;
        const key = rng.of(KEYS);
        if (rng.chance(0.2)) hook.delete(key);
        else for (let n = 1 + rng.below(3); n > 0; n--) hook.set(key, this.content(rng));
        break;
      }
      case 13: {
        if (this.xml.length > 0) this.xml.delete(rng.below(this.xml.length), 1);
        break;
      }
      default:
        if (rng.chance(0.6)) this.undo?.undo();
        else this.undo?.redo();
    }
  }
}

/** The same for Yjs 14, whose types are all of one kind. */
class Author14 {
  constructor(lib, options, id) {
    this.lib = lib;
    this.doc = new lib.Doc(options);
    this.doc.clientID = id;
    this.roots = ["map", "text", "array", "xml"].map((name) => this.doc.get(name));
  }

  undoes(rng) {
    this.undo = new this.lib.UndoManager(rng.of(this.roots), { captureTimeout: 0 });
  }

  step(rng) {
    const root = rng.of(this.roots);
    const key = rng.of(KEYS.filter((key) => key !== ""));
    switch (rng.below(8)) {
      case 0: case 1:
        for (let n = 1 + rng.below(4); n > 0; n--) root.setAttr(key, rng.chance(0.1) ? subdocument(rng, this.lib) : value(rng));
        break;
      case 2:
        root.deleteAttr(key);
        break;
      case 3: case 4:
        root.insert(rng.below(root.length + 1), rng.of([rng.of(WORDS), [value(rng)], [new this.lib.Type("p")], [subdocument(rng, this.lib)]]));
        break;
      case 5:
        if (root.length > 0) root.delete(rng.below(root.length), 1);
        break;
      case 6:
        if (root.length > 1) root.format(rng.below(root.length - 1), 1, { bold: rng.of([true, null]) });
        break;
      default:
        if (rng.chance(0.6)) this.undo?.undo();
        else this.undo?.redo();
    }
  }
}

/** What a document made by `lib` shows, in words that can be compared. */
export function seen(lib, doc) {
  const plain = (value) => {
    if (value === undefined) return { $undefined: true };
    if (typeof value === "bigint") return { $bigint: String(value) };
    if (typeof value === "number" && Object.is(value, -0)) return 0;
    if (value === null || typeof value !== "object") return value;
    if (value instanceof Uint8Array) return { $bytes: [...value] };
    if (value instanceof lib.Doc) return { $document: value.guid, gc: value.gc, autoLoad: value.autoLoad, meta: plain(value.meta) };
    if (Array.isArray(value)) return value.map(plain);
    if (lib.AbstractType && value instanceof lib.AbstractType) return type(value);
    if (lib.Type && value instanceof lib.Type) return type14(value);
    return Object.fromEntries(Object.entries(value).sort().map(([key, inner]) => [key, plain(inner)]));
  };
  const attributes = (entries) => Object.fromEntries([...entries].sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, value]) => [key, plain(value)]));
  // Pieces of one formatting are one piece, however they came about.
  const pieces = (delta) => {
    const joined = [];
    for (const { insert, attributes: marks } of delta) {
      const format = plain(marks ?? {});
      const last = joined.at(-1);
      if (typeof insert === "string" && typeof last?.insert === "string" && JSON.stringify(last.format) === JSON.stringify(format)) last.insert += insert;
      else joined.push({ insert: plain(insert), format });
    }
    return joined;
  };
  const type = (value) => {
    if (value instanceof lib.XmlHook) return { $hook: value.hookName, attributes: attributes(Object.entries(value.toJSON?.() ?? {})) };
    if (value instanceof lib.XmlText) return { $xmlText: pieces(value.toDelta()) };
    if (value instanceof lib.Text) return { $text: pieces(value.toDelta()) };
    if (value instanceof lib.XmlElement) return { $element: value.nodeName, attributes: attributes(Object.entries(value.getAttributes())), children: value.toArray().map(plain) };
    if (value instanceof lib.XmlFragment) return { $fragment: value.toArray().map(plain) };
    if (value instanceof lib.Map) return { $map: attributes(value.entries()) };
    if (value instanceof lib.Array) return { $array: value.toArray().map(plain) };
    return { $unknown: value.constructor.name };
  };
  const type14 = (value) => ({ $type: value.name ?? null, attributes: attributes(Object.entries(value.getAttrs())), content: plain(value.toJSON()) });
  if (lib.Type && !lib.Text) return ["map", "text", "array", "xml"].map((name) => type14(doc.get(name)));
  return [doc.getMap("map"), doc.getText("text"), doc.getArray("array"), doc.getXmlFragment("xml")].map(type);
}

/**
 * A document: `{ seed, version, gc, lib, updates, state, seen }`; or null where the version cannot read its own writing, so
 * that there is nothing to compare with.
 */
export function make(seed) {
  try {
    return carryOut(seed);
  } catch {
    return null;
  }
}

function carryOut(seed) {
  const rng = random(seed);
  const version = rng.of(Object.keys(LIBRARIES));
  const lib = LIBRARIES[version];
  const gc = rng.chance(0.5);
  const authors = Array.from({ length: 1 + rng.below(3) }, (_, n) => {
    const id = version === "14" && rng.chance(0.5) ? 2 ** 32 * (1 + rng.below(2 ** 21 - 1)) + rng.below(2 ** 30) : 1 + n + rng.below(2 ** 30);
    const author = new (version === "14" ? Author14 : Author)(lib, { gc }, id);
    if (rng.chance(0.6)) author.undoes(rng);
    return author;
  });
  const updates = [];
  for (const author of authors) {
    author.doc.on("update", (update, origin) => {
      if (origin !== "elsewhere") updates.push(update);
    });
  }
  const exchange = () => {
    for (const from of authors) {
      for (const to of authors) {
        if (from !== to) lib.applyUpdate(to.doc, lib.encodeStateAsUpdate(from.doc, lib.encodeStateVector(to.doc)), "elsewhere");
      }
    }
  };
  const steps = 5 + rng.below(rng.chance(0.1) ? 400 : 60);
  for (let n = 0; n < steps; n++) {
    const author = rng.of(authors);
    try {
      if (rng.chance(0.3)) lib.transact?.(author.doc, () => author.step(rng));
      else author.step(rng);
    } catch {
      // A value that this version does not take: it was not written.
    }
    if (rng.chance(0.15)) exchange();
  }
  exchange();
  let state = lib.encodeStateAsUpdate(authors[0].doc);
  // There and back through the other encoding, by a later version where it did not exist yet.
  if (rng.chance(0.3)) {
    const { convertUpdateFormatV1ToV2, convertUpdateFormatV2ToV1 } = lib.convertUpdateFormatV1ToV2 ? lib : Y13;
    state = convertUpdateFormatV2ToV1(convertUpdateFormatV1ToV2(state));
  }
  if (updates.length === 0) return null;
  const shown = seen(lib, authors[0].doc);
  if (JSON.stringify(read(lib, state)) !== JSON.stringify(shown)) return null;
  return { seed, version, gc, lib, updates, state, seen: shown };
}

/** What a replica that has only `state` shows. */
export function read(lib, state) {
  const doc = new lib.Doc({ gc: false });
  lib.applyUpdate(doc, state);
  return seen(lib, doc);
}
