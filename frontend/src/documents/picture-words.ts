// What is said about a picture that is not taken.
import type { TFunction } from "i18next";

/** The server's reason for a person: it counts bytes and names its setting, which is for whoever runs it. Mirrors src/http/attachments.rs. */
export function refusalIn(message: string, t: TFunction<"words">): string {
  const most = /at most (\d+) bytes/.exec(message)?.[1];
  if (most === undefined) return message;
  return t("image.tooLarge", { limit: `${String(Math.round((Number(most) / 1024 / 1024) * 10) / 10)} MB` });
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
