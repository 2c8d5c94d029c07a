import { kindOfCodeUnit, kinds } from './character-kinds.ts';

/**
 * Tokens of the first character of a run of one kind, and of each that follows it. Fitted against o200k_base on the
 * corpus of `test/support/token-corpus.json`; the error of each kind of text is in `docs/token-estimates.md`.
 */
const rates: Readonly<Record<keyof typeof kinds, readonly [first: number, next: number]>> = {
  lower: [0.39, 0.16],
  upper: [0.5, 0.12],
  accented: [0.62, 0.03],
  digit: [1.33, 0.22],
  space: [0.09, 0.18],
  newline: [0.87, 0.18],
  punctuation: [0.61, 0.26],
  widePunctuation: [0.47, 0.5],
  cyrillic: [1.26, 0.07],
  greek: [0.92, 0.29],
  arabic: [0.61, 0.31],
  hebrew: [0.58, 0.35],
  indic: [0.53, 0.34],
  thai: [0.5, 0.44],
  kana: [1.19, 0.42],
  han: [1.1, 0.86],
  hangul: [0.89, 0.76],
  pictograph: [0.87, 1.36],
  other: [1, 0.9],
};

/** A run that begins right behind a letter or digit: `camelCase`, ids, hashes. */
const UNSPACED_START = 0.26;
/** A letter beyond the eighth of its word. */
const LATE_LETTER = 0.1;
const EARLY_LETTERS = 8;
/** A letter in a language that writes accents: its words are in few vocabularies as a whole. */
const FOREIGN_LETTER = 0.14;
/** One accent in so many letters, and the text is taken for such a language entirely. */
const LETTERS_PER_ACCENT = 12;

const first = new Float64Array(Object.keys(kinds).length);
const next = new Float64Array(first.length);
for (const [name, [atStart, after]] of Object.entries(rates)) {
  const kind = kinds[name as keyof typeof kinds];
  first[kind] = atStart;
  next[kind] = after;
}

/**
 * About how many tokens a text is, by the kinds of its characters; not rounded. One pass, a few nanoseconds for each
 * character, whatever they are.
 */
export function ruleTokens(text: string): number {
  let tokens = 0;
  let letters = 0;
  let accents = 0;
  let runLength = 0;
  let before: number = kinds.newline;
  for (let at = 0; at < text.length; at += 1) {
    const kind = kindOfCodeUnit[text.charCodeAt(at)] ?? kinds.other;
    const isLetter = kind <= kinds.accented;
    if (kind === before || (isLetter && kind !== kinds.upper && before <= kinds.accented)) {
      tokens += next[kind] ?? 1;
      runLength += 1;
      if (isLetter && runLength > EARLY_LETTERS) tokens += LATE_LETTER;
    } else {
      tokens += first[kind] ?? 1;
      runLength = 1;
      if (kind <= kinds.digit && before <= kinds.digit) tokens += UNSPACED_START;
    }
    if (isLetter) letters += 1;
    if (kind === kinds.accented) accents += 1;
    before = kind;
  }
  if (accents === 0) return tokens;
  return tokens + FOREIGN_LETTER * Math.min(letters, accents * LETTERS_PER_ACCENT);
}
