/** One half of a review: what is written, and what is left of it in one sentence. */
export interface Opinion {
  says: string;
  /** Words of `says` that stand in no other. */
  sign: string;
  inShort: string;
}

export const praise: readonly Opinion[] = [
  {
    says: 'I have used it every evening for half a year and it looks like on the first day.',
    sign: 'like on the first day',
    inShort: 'praised for how well it lasts',
  },
  {
    says: 'Whoever packed this deserves a medal, three boxes inside each other!',
    sign: 'deserves a medal',
    inShort: 'praised for its packaging',
  },
  {
    says: 'Best thing I bought this year, and my neighbour has ordered two of them.',
    sign: 'my neighbour has ordered',
    inShort: 'warmly recommended to others',
  },
  {
    says: 'It came two days early, and a man on the phone told me how to put it together.',
    sign: 'came two days early',
    inShort: 'praised for quick delivery and good help',
  },
];

export const complaints: readonly Opinion[] = [
  {
    says: 'The colour is darker than in the picture, though.',
    sign: 'darker than in the picture',
    inShort: 'the colour differs from the picture',
  },
  {
    says: 'It smelt of varnish for a week.',
    sign: 'smelt of varnish',
    inShort: 'it smells at first',
  },
  {
    says: 'The manual is a riddle in very small print.',
    sign: 'manual is a riddle',
    inShort: 'the manual is hard to read',
  },
  {
    says: 'For this price I had hoped for a longer guarantee than one year.',
    sign: 'a longer guarantee',
    inShort: 'the guarantee is short',
  },
  {
    says: 'Nothing to complain about, except that my cat has claimed it.',
    sign: 'my cat has claimed it',
    inShort: 'the cat may take it',
  },
];
