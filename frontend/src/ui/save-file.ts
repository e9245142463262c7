// Handing a file to the person, from words this page already has.

/** When a browser has surely taken a file, in ms. */
const TAKEN_BY = 60_000;

export function saveFile(name: string, type: string, content: string): void {
  saveBlob(name, new Blob([content], { type: `${type};charset=utf-8` }));
}

export function saveBlob(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = safeFileName(name);
  link.click();
  // The browser takes the file when it gets to it, on a busy machine not by the next turn; until then the address must
  // live, or nothing is saved and nobody is told.
  setTimeout(() => URL.revokeObjectURL(address), TAKEN_BY);
}

/** A picture that nobody gave a name, with the ending of its type. */
export function savePicture(name: string, picture: Blob): void {
  const ending = picture.type.replace(/^image\//, "").replace(/^svg\+xml$/, "svg").replace("jpeg", "jpg");
  saveBlob(`${name}.${/^\w{2,5}$/.test(ending) ? ending : "bin"}`, picture);
}

/** Without the characters some file systems refuse, one space where they stood; never empty. */
export function safeFileName(name: string): string {
  return name.replace(/[\\/:*?"<>|\p{Cc}\s]+/gu, " ").trim() || "document";
}

/** A title that already names a kind of file keeps it. */
export function textFileName(title: string): string {
  const name = title.trim() === "" ? "document" : title.trim();
  return /\.\w{1,8}$/.test(name) ? name : `${name}.txt`;
}
