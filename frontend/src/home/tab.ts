/** The lists of the first page. */
export type Tab = "recent" | "starred" | "trash";
