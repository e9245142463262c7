// The grammars of highlight.js that most code is written in, behind the parser the editor asks.
import { common, createLowlight } from "lowlight";
import type { Parser } from "prosemirror-highlight";
import { createParser } from "prosemirror-highlight/lowlight";

const lowlight = createLowlight(common);
const byLowlight = createParser(lowlight);

export const parse: Parser = (options) => (options.language && lowlight.registered(options.language) ? byLowlight(options) : []);
