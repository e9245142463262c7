// What has to change in Excalidraw's package for a page that talks to nobody but its own server and runs no WebAssembly:
//   - fonts come from /assets/fonts, never from a public host;
//   - the 13 MB of its hand-drawn Chinese font stay out, unless WEFT_CJK_HAND_FONT=1: the system's font is used instead;
//   - fonts in an exported SVG are whole instead of cut to the letters used, and pictures are scaled without WebAssembly,
//     because the page's policy forbids compiling any;
//   - of its fifty languages those stay that the app speaks, and what its Chinese does not say is added;
//   - the language of the page is the app's to say;
//   - people's pointers have the colours they chose;
//   - its library of shapes is gone from the toolbar, the menus and the panel of the search: it would be lost with the tab,
//     and it leads to a foreign host with the document's address, which is a secret wherever a link opens the document;
//   - a shape that is not turned is drawn by one call instead of seven: with thousands in sight, half the time of a frame
//     went into saving the canvas's state and bringing it back for each;
//   - two findings of axe are mended: a landmark inside another, and a button whose name is not what is written on it.
// Each change says what it expects to find, and the build fails when a new release no longer has it.
import { readFile, readdir } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import added from "./excalidraw-zh-TW.json" with { type: "json" };

const PACKAGE = "@excalidraw/excalidraw";
const FONTS = fileURLToPath(new URL(`../node_modules/${PACKAGE}/dist/prod/fonts/`, import.meta.url));
/** The folder of the hand-drawn Chinese font. */
const CJK = "Xiaolai";
const WHOLE_FONTS = "\0excalidraw-whole-fonts";
const NOTHING = "\0excalidraw-nothing";
/** English is part of the package's own code. */
const LANGUAGES = ["en", "zh-TW"];

export function excalidraw(): Plugin {
  const withCjk = process.env["WEFT_CJK_HAND_FONT"] === "1";
  const expected = new Set(["font host", "workers", "scaling", "colours", "page language", "landmark", "zoom label", "upright shapes", "library in the toolbar", "library in the menu", "library beside the search", "Chinese words", ...(withCjk ? [] : ["Chinese font"])]);

  return {
    name: "weft:excalidraw",
    enforce: "pre",

    resolveId(source, importer) {
      if (importer?.includes(`${PACKAGE}/dist/`) !== true) return null;
      if (/subset-shared\.chunk\.js$/.test(source)) return WHOLE_FONTS;
      if (/subset-worker\.chunk\.js$/.test(source)) return NOTHING;
      const language = /\/locales\/([\w-]+?)(-[A-Z0-9]{8})?\.js(on)?$/.exec(source)?.[1];
      return language !== undefined && !LANGUAGES.includes(language) ? NOTHING : null;
    },
    load(id) {
      if (id === NOTHING) return "export default {};";
      return id === WHOLE_FONTS ? wholeFonts : null;
    },

    transform(code, id) {
      if (!id.includes(`${PACKAGE}/dist/`)) return null;
      if (/\/locales\/zh-TW[^/]*\.js$/.test(id)) {
        expected.delete("Chinese words");
        return { code: withAdded(code), map: null };
      }
      let changed = code;
      const change = (what: string, pattern: RegExp, by: string): void => {
        if (!pattern.test(changed)) return;
        changed = changed.replace(pattern, by);
        expected.delete(what);
      };
      change("font host", /`https:\/\/esm\.sh\/.{0,120}?\/dist\/prod\/`/, "`${location.origin}/assets/`");
      change("workers", /typeof Worker\s*(<|!==?)\s*"u(ndefined)?"/, "false");
      change("page language", /document\.documentElement\.lang\s*=\s*(\w+\.code)/, "$1");
      change("landmark", /role:\s*"contentinfo",\s*(className:\s*"layer-ui__wrapper__footer)/, "$1");
      change("zoom label", /"aria-label":\s*(\w+\("buttons\.resetZoom"\))(.{0,80}?\((\w+)\.zoom\.value\s*\*\s*100\)\.toFixed\(0\))/s, '"aria-label":`${($3.zoom.value*100).toFixed(0)}% ${$1}`$2');
      // (drawn, context, _, view, _) => { let shape = drawn.element, padding = …, scale = drawn.scale, [x, y, …] = …, …; context.save(), …
      change(
        "upright shapes",
        /(\(([\w$]+),([\w$]+),[\w$]+,([\w$]+),[\w$]+\)=>\{let ([\w$]+)=\2\.element,([\w$]+)=[\w$]+\(\5\),([\w$]+)=\2\.scale,\[([\w$]+),([\w$]+),[^;]{0,160};)(\3\.save\(\),\3\.scale\(1\/window\.devicePixelRatio,)/,
        '$1if(!$5.angle&&$5.type!=="image"&&$5.type!=="arrow"){const ratio=window.devicePixelRatio;return void $3.drawImage($2.canvas,$8+$4.scrollX-$6/ratio,$9+$4.scrollY-$6/ratio,$2.canvas.width/$7/ratio,$2.canvas.height/$7/ratio)}$10',
      );
      change("library in the toolbar", /children:[\w$]+\([\w$]+\.Trigger,\{\.\.\.[\w$]+,className:"default-sidebar-trigger",name:[\w$]+\.name\}\)/, "children:null");
      change("library in the menu", /name:\s*"addToLibrary",/, "$&predicate:()=>false,");
      // [trigger of the search, trigger of the library, others' triggers], library, search
      change(
        "library beside the search",
        /([\w$]+\([\w$]+\.TabTrigger,\{tab:[\w$]+,children:[\w$]+\}\),)[\w$]+\([\w$]+\.TabTrigger,\{tab:([\w$]+),children:[\w$]+\}\),([\w$]+\([\w$]+\.Out,\{\}\)\]\}\)\}\),)[\w$]+\([\w$]+\.Tab,\{tab:\2,children:[\w$]+\([\w$]+,\{\}\)\}\),/,
        "$1$3",
      );
      change("scaling", /features:\s*\["js",\s*"wasm"\]/, 'features:["js"]');
      change("colours", /(\((\w+),\s*(\w+)\)\s*=>\s*)(`hsl\(\$\{Math\.abs\(\w+\(\3\?\.id\s*\|\|\s*\2\)\)%37\*10\}, 100%, 83%\)`)/, "$1$3?.color?.background||$4");
      if (!withCjk) {
        const files = [...changed.matchAll(new RegExp(`([\\w$]+)\\s*=\\s*"\\./fonts/${CJK}/[^"]+"`, "g"))].map(([, name]) => name ?? "");
        for (const file of files) {
          change("Chinese font", new RegExp(`\\{\\s*uri:\\s*${file.replaceAll("$", "\\$")},\\s*descriptors:\\s*\\{[^}]*\\}\\s*\\},?`), "");
        }
      }
      return changed === code ? null : { code: changed, map: null };
    },

    async generateBundle(_, bundle) {
      // Tests build nothing of Excalidraw; then there is nothing to have found.
      if (!Object.values(bundle).some((part) => part.type === "chunk" && part.moduleIds.some((id) => id.includes(`${PACKAGE}/dist/`)))) return;
      if (expected.size > 0) this.error(`${PACKAGE} has changed, and this is no longer found in it: ${[...expected].join(", ")}`);
      for (const entry of await readdir(FONTS, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = `${entry.parentPath}/${entry.name}`;
        const name = path.slice(FONTS.length).replace(/^\//, "");
        if (!withCjk && name.startsWith(`${CJK}/`)) continue;
        this.emitFile({ type: "asset", fileName: `assets/fonts/${name}`, source: await readFile(path) });
      }
    },

    configureServer(server) {
      server.middlewares.use("/assets/fonts/", (request, response, next) => {
        const name = decodeURIComponent((request.url ?? "").split("?")[0] ?? "");
        if (!/^\/[\w-]+\/[\w.-]+\.woff2$/.test(name)) return next();
        response.setHeader("content-type", "font/woff2");
        createReadStream(FONTS + name).on("error", next).pipe(response);
      });
    },
  };
}

/** A module of words, one export for each group of them, with ours added to the groups it has and as groups it has not. */
export function withAdded(code: string): string {
  const exported = new Map([...(/export\s*\{([^}]*)\}/.exec(code)?.[1] ?? "").matchAll(/([\w$]+)(?:\s+as\s+([\w$]+))?/g)].map(([, local = "", name = local]) => [name, local]));
  const lines = Object.entries(added).map(([group, words]) => {
    const local = exported.get(group);
    return local === undefined ? `export const ${group} = ${JSON.stringify(words)};` : `addWords(${local}, ${JSON.stringify(words)});`;
  });
  return `${code}
function addWords(to, from) {
  for (const [name, words] of Object.entries(from)) {
    if (typeof words === "object") addWords((to[name] ??= {}), words);
    else to[name] = words;
  }
}
${lines.join("\n")}
`;
}

/** Takes the place of Excalidraw's font cutter, and answers with the font as it is. */
const wholeFonts = `
export const Commands = { Subset: "SUBSET" };
export const toBase64 = async (buffer) => {
  let binary = "";
  const bytes = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return "data:font/woff2;base64," + btoa(binary);
};
export const subsetToBase64 = toBase64;
export const subsetToBinary = async (buffer) => buffer;
`;
