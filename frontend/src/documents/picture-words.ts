// What is said about a picture that is not taken.
import type { TFunction } from "i18next";
import type { Problem } from "./api";
import { problemWords } from "./problem-words";

/** The server's reason for a person: it counts bytes and names its setting, which is for whoever runs it. Mirrors src/http/attachments.rs. */
export function refusalIn(message: string, t: TFunction<"words">): string {
  const most = /at most (\d+) bytes/.exec(message)?.[1];
  if (most === undefined) return message;
  return t("image.tooLarge", { limit: `${String(Math.round((Number(most) / 1024 / 1024) * 10) / 10)} MB` });
}

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
