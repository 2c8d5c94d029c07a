/** Kinds of characters that tokenizers treat alike. The numbers are positions in the tables of the rule. */
export const kinds = {
  // Letters come first, then digits: the rule compares.
  lower: 0,
  upper: 1,
  accented: 2,
  digit: 3,
  space: 4,
  newline: 5,
  punctuation: 6,
  widePunctuation: 7,
  cyrillic: 8,
  greek: 9,
  arabic: 10,
  hebrew: 11,
  indic: 12,
  thai: 13,
  kana: 14,
  han: 15,
  hangul: 16,
  pictograph: 17,
  other: 18,
} as const;
type Kind = (typeof kinds)[keyof typeof kinds];

/** First code units of the ranges, ascending, each up to the next. */
const ranges: readonly (readonly [number, Kind])[] = [
  [0x0080, kinds.widePunctuation],
  [0x00c0, kinds.accented],
  [0x0370, kinds.greek],
  [0x0400, kinds.cyrillic],
  [0x0530, kinds.other],
  [0x0590, kinds.hebrew],
  [0x0600, kinds.arabic],
  [0x0780, kinds.other],
  [0x0900, kinds.indic],
  [0x0e00, kinds.thai],
  [0x1000, kinds.other],
  [0x1e00, kinds.accented],
  [0x1f00, kinds.greek],
  [0x2000, kinds.widePunctuation],
  [0x2190, kinds.pictograph],
  [0x2c00, kinds.other],
  [0x2e80, kinds.han],
  [0x3000, kinds.widePunctuation],
  [0x3040, kinds.kana],
  [0x3130, kinds.hangul],
  [0x31f0, kinds.kana],
  [0x3400, kinds.han],
  [0xa000, kinds.other],
  [0xac00, kinds.hangul],
  // Halves of characters outside the basic plane: emoji nearly always.
  [0xd800, kinds.pictograph],
  [0xe000, kinds.other],
  [0xf900, kinds.han],
  [0xfb00, kinds.arabic],
  [0xfe00, kinds.pictograph],
  [0xfe10, kinds.widePunctuation],
  [0xff66, kinds.kana],
  [0xffa0, kinds.hangul],
  [0xffe0, kinds.widePunctuation],
];

/** One byte for each code unit: a look-up costs a nanosecond, and nothing has to be compared. */
export const kindOfCodeUnit: Uint8Array = buildTable();

function buildTable(): Uint8Array {
  const table = new Uint8Array(0x1_0000);
  table.fill(kinds.punctuation, 0, 0x80);
  table.fill(kinds.newline, 0, 0x20);
  table.fill(kinds.digit, 0x30, 0x3a);
  table.fill(kinds.upper, 0x41, 0x5b);
  table.fill(kinds.lower, 0x61, 0x7b);
  table[0x20] = kinds.space;
  ranges.forEach(([first, kind], index) => {
    table.fill(kind, first, ranges[index + 1]?.[0] ?? 0x1_0000);
  });
  return table;
}
