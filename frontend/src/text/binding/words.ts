// The words of a text straight from its sequences, without an editor or its schema.
import { ContentEmbed, ContentString, ContentType, type Doc, Map as YMap } from "yjs";
import { type Block, blocksOf } from "./blocks";
import { gridsIn, type Sequences } from "./grids";
import { BODY, cellName, cellPlace, embedKind, type Fields } from "./model";
import { fieldsOf, linesOf } from "./sequence";

export function sequencesOf(doc: Doc): Sequences {
  const cells = new Map(
    [...doc.share.keys()].filter((name) => cellPlace(name) !== null).map((name) => [name, linesOf(doc.getText(name))]),
  );
  return { body: linesOf(doc.getText(BODY)), cells };
}

/** A line for each block, those of tables among them. `said` is what is read for a mention. */
export function wordsOf(doc: Doc, said: (label: string) => string = () => ""): readonly string[] {
  const sequences = sequencesOf(doc);
  const grids = gridsIn(sequences);
  const line = ({ runs }: Block): string =>
    runs
      .map((run) => {
        if ("text" in run) return run.text;
        if (run.kind === "break") return "\n";
        const { label } = run.fields;
        return run.kind === "mention" ? said(typeof label === "string" ? label : "") : "";
      })
      .join("");
  return blocksOf(BODY, sequences.body, (one) => !grids.has(one)).flatMap((block) => {
    const grid = block.line === null ? undefined : grids.get(block.line);
    if (grid === undefined) return [line(block)];
    return grid.cells.flatMap(({ row, column }) => {
      const name = cellName(grid.id, grid.rows[row]?.id ?? "", grid.columns[column]?.id ?? "");
      const inside = blocksOf(name, sequences.cells.get(name) ?? [], () => true);
      return inside.length === 0 ? [""] : inside.map(line);
    });
  });
}

/** The first line with anything but blanks in it. Asked with every key, so it reads no further than that. */
export function firstWordsOf(doc: Doc, said: (label: string) => string): string {
  let line = "";
  const first = (): string | undefined => line.split("\n").find((part) => part.trim() !== "");
  for (let item = doc.getText(BODY)._start; item !== null; item = item.right) {
    const { content, deleted } = item;
    if (deleted) continue;
    if (content instanceof ContentString) line += content.str;
    else if (content instanceof ContentType || content instanceof ContentEmbed) {
      const embed: unknown = content instanceof ContentType ? content.type : content.embed;
      const fields: Fields = embed instanceof YMap ? fieldsOf(embed) : typeof embed === "object" && embed !== null ? (embed as Fields) : {};
      const kind = embedKind(fields, embed instanceof YMap);
      if (kind === "break") line += "\n";
      else if (kind === "mention") line += said(typeof fields["label"] === "string" ? fields["label"] : "");
      else if (kind === "boundary") {
        const found = first();
        if (found !== undefined) return found;
        // What stands in a table is told by its cells.
        if (fields["type"] === "table") return wordsOf(doc, said).flatMap((one) => one.split("\n")).find((part) => part.trim() !== "") ?? "";
        line = "";
      }
    }
  }
  return first() ?? "";
}

/** The pictures in it whose fields can be changed, wherever they stand. */
export function imagesIn(doc: Doc): readonly YMap<unknown>[] {
  const { body, cells } = sequencesOf(doc);
  return [body, ...cells.values()].flatMap((lines) =>
    lines.flatMap(({ runs }) => runs.flatMap((run) => ("embed" in run && run.kind === "image" && run.embed instanceof YMap ? [run.embed] : []))),
  );
}
