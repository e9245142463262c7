/** The root of a plain text in the shared data: a Y.Text of this name, the same text the JSON dialect edits. */
export const CONTENT = "content";
