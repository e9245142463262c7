// Images on their way to the server. One door for every way they come in: pasted, dropped, picked.
import type { TFunction } from "i18next";
import { isPicture, pictureProblem } from "./picture-words";
import type { Pictures } from "./pictures";

export type Upload =
  /** Where it is, or will be as soon as the server is back. */
  | { readonly address: string }
  /** Why not, in words for the person. */
  | { readonly refused: string };

/** Stores an image beside the document, or on this device while nobody answers. Never throws for what a server or a network does. */
export async function uploadImage(pictures: Pictures, file: File, t: TFunction<"words">): Promise<Upload> {
  if (!file.type.startsWith("image/") || !(await isPicture(file))) return { refused: t("image.notImage") };
  const put = await pictures.put(file);
  if ("address" in put) return put;
  const { problem } = put;
  return { refused: problem.kind === "unreachable" ? t("image.offline") : pictureProblem(problem, t) };
}

/** Lets the person choose images. */
export function pickImages(take: (files: readonly File[]) => void): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*";
  input.multiple = true;
  input.onchange = () => take([...(input.files ?? [])].filter(({ type }) => type.startsWith("image/")));
  input.click();
}
