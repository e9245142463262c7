// A text as a file. The conversions are fetched when somebody asks for one.
import type { JSONContent } from "@tiptap/core";
import { saveFile } from "../ui/save-file";

export type ExportFormat = "markdown" | "html" | "json";

export async function exportText(content: JSONContent, title: string, format: ExportFormat, language: string): Promise<void> {
  const name = title.trim() === "" ? "document" : title.trim();
  if (format === "json") {
    saveFile(`${name}.json`, "application/json", `${JSON.stringify(content, null, 2)}\n`);
    return;
  }
  const { htmlFrom, markdownFrom, withImages } = await import("./convert");
  if (format === "html") saveFile(`${name}.html`, "text/html", htmlFrom(content, name, language));
  else {
    // The title leads, as it does on the page; importing the file again takes it back out.
    const titled: JSONContent = title.trim() === "" ? content : { ...content, content: [heading(title), ...(content.content ?? [])] };
    saveFile(`${name}.md`, "text/markdown", markdownFrom(withImages(titled, (src) => new URL(src, location.href).href)));
  }
}

function heading(title: string): JSONContent {
  return { type: "heading", attrs: { level: 1 }, content: [{ type: "text", text: title.trim() }] };
}
