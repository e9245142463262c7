import type { TFunction } from "i18next";
import { expect, test } from "vitest";
import { refusalIn } from "./picture-refusal";

const say = ((key: string, { limit }: { limit: string }) => `${key} ${limit}`) as unknown as TFunction<"words">;

test("a picture that is too large is refused in megabytes, any other reason in the server's words", () => {
  expect(refusalIn("an attachment has at most 10485760 bytes; see the setting max_attachment_bytes", say)).toBe("image.tooLarge 10 MB");
  expect(refusalIn("an attachment has at most 1572864 bytes; see the setting max_attachment_bytes", say)).toBe("image.tooLarge 1.5 MB");
  expect(refusalIn("the document has too many attachments", say)).toBe("the document has too many attachments");
});
