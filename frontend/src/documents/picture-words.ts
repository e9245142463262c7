// What is said about a picture that is not taken.
import type { TFunction } from "i18next";
import type { Problem } from "./api";
import { refusalIn } from "./picture-refusal";
import { problemWords } from "./problem-words";

/** Why the server did not take a picture, as a sentence without a full stop. */
export function pictureProblem(problem: Problem, t: TFunction<"words">): string {
  if (problem.kind !== "refused") return problemWords(problem, t);
  // A server without attachments, or one that does not know this document any more.
  if (problem.status === 404 || problem.status === 405) return t("image.noStore");
  return problem.code === "too_large" ? t("problem.refused", { message: refusalIn(problem.message, t) }) : problemWords(problem, t);
}

/** Whether this browser can show it: a name or a type says nothing about the bytes, and others would see a broken picture. */
export async function isPicture(file: Blob): Promise<boolean> {
  const address = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    return true;
  } catch {
    return false;
  } finally {
    URL.revokeObjectURL(address);
  }
}
