// Calling somebody by name in the chat: `@` and the first letters, at the caret.

export interface Call {
  /** Where its sign stands. */
  readonly from: number;
  readonly query: string;
}

/** The name that is being written at the caret; `null` if none is. Not inside a word or an address. */
export function callAt(text: string, caret: number): Call | null {
  const [, , query] = /(^|[^\p{L}\p{N}._@/-])[@＠]([^\s@＠]{0,40})$/u.exec(text.slice(0, caret)) ?? [];
  return query === undefined ? null : { from: caret - query.length - 1, query };
}

/** Whose names it may be, those that begin so before those that have it inside. */
export function matching(names: readonly string[], query: string): readonly string[] {
  const wanted = query.toLocaleLowerCase();
  const found = [...new Set(names)].filter((name) => name !== "" && name.toLocaleLowerCase().includes(wanted));
  const begins = (name: string): boolean => name.toLocaleLowerCase().startsWith(wanted);
  return [...found.filter(begins), ...found.filter((name) => !begins(name))].slice(0, 6);
}

/** The text with the name in place of the call, and where the caret is then. */
export function called(text: string, { from, query }: Call, name: string): { readonly text: string; readonly caret: number } {
  const behind = text.slice(from + 1 + query.length);
  const before = `${text.slice(0, from)}@${name} `;
  return { text: before + behind.replace(/^ /, ""), caret: before.length };
}

/** Whether somebody of that name is called in it. */
export function calls(text: string, name: string): boolean {
  if (name === "") return false;
  const at = text.toLocaleLowerCase().indexOf(`@${name.toLocaleLowerCase()}`);
  return at >= 0 && !/^[\p{L}\p{N}]/u.test(text.slice(at + name.length + 1));
}
