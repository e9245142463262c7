/** The root of the text in the shared data: Tiptap's default, so that other Tiptap apps find it. The server reads it too. */
export const FIELD = "default";
