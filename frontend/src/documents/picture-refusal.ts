// What the server says when it does not take a picture. A text is opened with it, for pictures it refused before.
import type { TFunction } from "i18next";

/** The server's reason for a person: it counts bytes and names its setting, which is for whoever runs it. Mirrors src/http/attachments.rs. */
export function refusalIn(message: string, t: TFunction<"words">): string {
  const most = /at most (\d+) bytes/.exec(message)?.[1];
  if (most === undefined) return message;
  return t("image.tooLarge", { limit: `${String(Math.round((Number(most) / 1024 / 1024) * 10) / 10)} MB` });
}
