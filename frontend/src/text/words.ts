// Counting words, also in scripts that do not put spaces between them. Who reads Chinese counts its characters, and a word of
// another script as one, as their word processors do.

/** Written one character after the other, each of which counts. */
const CHARACTERS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}]/gu;

export function countWords(text: string, language: string): number {
  if (!/^zh\b/i.test(language)) return countWordLike(text, language);
  const rest = text.replace(CHARACTERS, " ");
  return (text.match(CHARACTERS)?.length ?? 0) + countWordLike(rest, language);
}

function countWordLike(text: string, language: string): number {
  let count = 0;
  for (const { isWordLike } of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) {
    if (isWordLike) count += 1;
  }
  return count;
}
