/**
 * The texts of an encoding and their ranks, in a few typed arrays: of 200,000 strings in a Map, each major collection
 * would mark every one, and each look-up would make the substring that it asks for.
 */
export interface Vocabulary {
  /** Entries so far, and how many there is room for. */
  size: number;
  readonly capacity: number;
  /** UTF-16 code units of all entries, back to back. */
  readonly units: Uint16Array;
  /** Where each entry starts in `units`, and the end of the last. */
  readonly starts: Uint32Array;
  readonly ranks: Int32Array;
  /**
   * An open-addressing table, at most half full; 0 where nothing is. The lower bits are an entry's number from 1, the
   * upper ones, those of its hash: most texts that are not in the vocabulary are told without a look at `units`.
   */
  readonly slots: Int32Array;
  readonly entryMask: number;
}

/** The rank of what is not in the vocabulary: behind all others. */
export const NO_RANK = 0x7fff_ffff;

/** Room for so many entries of so many UTF-16 code units in all. It does not grow: that would hold others up. */
export function createVocabulary(capacity: number, units: number): Vocabulary {
  return {
    size: 0,
    capacity,
    units: new Uint16Array(units),
    starts: new Uint32Array(capacity + 1),
    ranks: new Int32Array(capacity),
    slots: new Int32Array(powerOfTwo(2 * capacity)),
    entryMask: powerOfTwo(capacity + 1) - 1,
  };
}

/** Adds a text that is not in it yet. */
export function addEntry(vocabulary: Vocabulary, text: string, rank: number): void {
  const { size, capacity, units, starts, ranks, slots, entryMask } = vocabulary;
  const start = starts[size] ?? 0;
  if (size === capacity || start + text.length > units.length) {
    throw new RangeError(
      `a vocabulary of ${capacity} entries and ${units.length} code units is full`,
    );
  }
  for (let at = 0; at < text.length; at += 1) units[start + at] = text.charCodeAt(at);
  starts[size + 1] = start + text.length;
  ranks[size] = rank;
  const hash = hashOf(text, 0, text.length);
  const slotMask = slots.length - 1;
  let slot = hash & slotMask;
  while (slots[slot] !== 0) slot = (slot + 1) & slotMask;
  slots[slot] = (hash & ~entryMask) | (size + 1);
  vocabulary.size = size + 1;
}

/** The rank of `text.slice(from, to)`, without making it. */
export function rankOf(vocabulary: Vocabulary, text: string, from: number, to: number): number {
  const { ranks, slots, entryMask } = vocabulary;
  const hash = hashOf(text, from, to);
  const slotMask = slots.length - 1;
  let slot = hash & slotMask;
  for (;;) {
    const found = slots[slot] ?? 0;
    if (found === 0) return NO_RANK;
    const entry = (found & entryMask) - 1;
    if (((found ^ hash) & ~entryMask) === 0 && isEntry(vocabulary, entry, text, from, to)) {
      return ranks[entry] ?? NO_RANK;
    }
    slot = (slot + 1) & slotMask;
  }
}

function isEntry(
  { units, starts }: Vocabulary,
  entry: number,
  text: string,
  from: number,
  to: number,
): boolean {
  const start = starts[entry] ?? 0;
  if (starts[entry + 1] !== start + to - from) return false;
  for (let at = from; at < to; at += 1) {
    if (units[start + at - from] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** FNV-1a over code units. Its upper bits are mixed into the lower ones, which a short text hardly reaches otherwise. */
function hashOf(text: string, from: number, to: number): number {
  let hash = 0x811c_9dc5 | 0;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return hash ^ (hash >>> 13);
}

/** The smallest that is not below the number. */
function powerOfTwo(number: number): number {
  return number <= 1 ? 1 : 2 ** (32 - Math.clz32(number - 1));
}
