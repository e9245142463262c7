// What went wrong with a request, in the person's language. The server's code says which of our sentences fits; its own
// sentence is English and for programmers, and is used where we have none.
import type { TFunction } from "i18next";
import type { Problem } from "./api";

/** Codes of src/http/error.rs and of what answers beside it, as far as the app can meet them. */
const CODES = [
  "attachments_full",
  "damaged",
  "deleted",
  "document_full",
  "forbidden",
  "in_trash",
  "internal",
  "invalid_update",
  "max_connections",
  "max_connections_per_address",
  "not_found",
  "origin_not_allowed",
  "shutting_down",
  "store_unwritable",
  "too_large",
  "unauthorized",
] as const;
type Code = (typeof CODES)[number];

function isKnown(code: string): code is Code {
  return CODES.some((known) => known === code);
}

/** One sentence, without a full stop. */
export function problemWords(problem: Problem, t: TFunction<"words">): string {
  switch (problem.kind) {
    case "refused":
      return isKnown(problem.code) ? t(`refusals.${problem.code}`) : t("problem.refused", { message: problem.message });
    case "garbled":
      return t("problem.garbled");
    case "unreachable":
      return t("problem.unreachable");
  }
}

/** What it means, or what can be done. */
export function problemHint(problem: Problem, t: TFunction<"words">): string {
  switch (problem.kind) {
    case "refused":
      return t("problem.refusedHint", { code: problem.code });
    case "garbled":
      return t("problem.garbledHint");
    case "unreachable":
      return t("problem.unreachableHint");
  }
}
