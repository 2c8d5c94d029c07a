/** A few lines: long enough to hold whole words, short enough that a table at the end has its share. */
const WINDOW_CHARS = 128;

/**
 * About so many characters of the texts, in windows at even distances over all of them as if they were one; the texts
 * themselves where they are not longer. What is read of a request depends on this number, never on its length.
 */
export function sampleTexts(
  texts: readonly string[],
  totalChars: number,
  chars: number,
): readonly string[] {
  if (totalChars <= chars) return texts;
  const windows = Math.max(2, Math.ceil(chars / WINDOW_CHARS));
  const size = Math.min(WINDOW_CHARS, Math.floor(totalChars / windows));
  const sample: string[] = [];
  let window = 0;
  let textStart = 0;
  for (const text of texts) {
    const textEnd = textStart + text.length;
    while (window < windows) {
      const start = Math.floor(((totalChars - size) * window) / (windows - 1));
      if (start >= textEnd) break;
      sample.push(text.slice(Math.max(0, start - textStart), start + size - textStart));
      // A window that is longer than what is left of the text goes on in the next.
      if (start + size > textEnd) break;
      window += 1;
    }
    if (window === windows) break;
    textStart = textEnd;
  }
  return sample;
}
