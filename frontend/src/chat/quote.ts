// Words taken from the document into the chat. Whoever has them at hand says so here; the page opens the chat and puts them
// into its field.
import { createStore } from "../ui/store";

/** What is to be quoted; `null` once it stands in the field. */
export const quoted = createStore<string | null>(null);

export function quoteInChat(words: string): void {
  if (words.trim() !== "") quoted.set(words.trim());
}

/** The field with these words quoted at its end, and room for what is said of them. */
export function withQuote(draft: string, words: string): string {
  const before = draft.trimEnd();
  return `${before === "" ? "" : `${before}\n`}${words.split(/\r?\n/).map((line) => `> ${line}`).join("\n")}\n`;
}

export interface Passage {
  readonly quote: boolean;
  readonly text: string;
}

/** A message in what is said and what is quoted: lines that begin with `>`, as in mail. */
export function passages(text: string): readonly Passage[] {
  const made: { quote: boolean; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    const quote = /^>/.test(line);
    const last = made.at(-1);
    const words = quote ? line.replace(/^> ?/, "") : line;
    if (last?.quote === quote) last.lines.push(words);
    else made.push({ quote, lines: [words] });
  }
  return made.map(({ quote, lines }) => ({ quote, text: lines.join("\n") })).filter(({ quote, text: words }) => quote || words !== "");
}
