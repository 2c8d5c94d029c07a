import type { EncodingName } from './model-encoding.ts';
import { addEntry, createVocabulary, type Vocabulary } from './vocabulary.ts';

/** How an encoding cuts text into pieces, and how early each string was merged in its training. */
export interface Encoding {
  /** Global. Together its matches are the whole of any text: each piece starts where the one before ends. */
  pieces: RegExp;
  vocabulary: Vocabulary;
}

const loaded = new Map<EncodingName, Encoding>();
const loading = new Map<EncodingName, Promise<boolean>>();

/** The encoding if it is there. The first question for it starts to load it, and is not kept waiting. */
export function encodingNow(name: EncodingName): Encoding | undefined {
  const encoding = loaded.get(name);
  if (encoding === undefined) void loadEncoding(name);
  return encoding;
}

/** True as soon as the encoding is there; false when it cannot be had, and then never asks again. */
export function loadEncoding(name: EncodingName): Promise<boolean> {
  const before = loading.get(name);
  if (before !== undefined) return before;
  const started = readEncoding(name).then(
    (encoding) => {
      loaded.set(name, encoding);
      return true;
    },
    // An installation without the tables still has the rule.
    () => false,
  );
  loading.set(name, started);
  return started;
}

/** An entry costs about half a microsecond: a turn of this many holds up nobody. */
const ENTRIES_PER_TURN = 2000;

async function readEncoding(name: EncodingName): Promise<Encoding> {
  const { default: table } = await tables[name]();
  const vocabulary = await readVocabulary(table.bpe_ranks);
  return { pieces: new RegExp(table.pat_str, 'gu'), vocabulary };
}

async function readVocabulary(table: string): Promise<Vocabulary> {
  let entries = 0;
  for (const _ of entriesOf(table)) {
    entries += 1;
    if (entries % ENTRIES_PER_TURN === 0) await nextTurn();
  }
  // Four characters of base64 are three bytes, and a character in UTF-8 has at least as many of them as code units.
  const vocabulary = createVocabulary(entries, Math.ceil((table.length * 3) / 4));
  entries = 0;
  for (const [encoded, rank] of entriesOf(table)) {
    const text = Buffer.from(encoded, 'base64').toString();
    // Entries that are parts of a character (about 1,600 of 200,000) are no strings; see countTokens.
    if (!text.includes('\uFFFD')) addEntry(vocabulary, text, rank);
    entries += 1;
    if (entries % ENTRIES_PER_TURN === 0) await nextTurn();
  }
  return vocabulary;
}

/**
 * A line is a mark, the rank of its first entry, and the entries in base64. One after the other: to split a line would
 * make 200,000 strings in one turn.
 */
function* entriesOf(table: string): Generator<readonly [encoded: string, rank: number]> {
  for (const line of table.split('\n')) {
    const rankAt = line.indexOf(' ') + 1;
    let end = line.indexOf(' ', rankAt);
    let rank = Number(line.slice(rankAt, end));
    while (end !== -1) {
      const start = end + 1;
      end = line.indexOf(' ', start);
      yield [line.slice(start, end === -1 ? undefined : end), rank];
      rank += 1;
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const tables = {
  o200k_base: () => import('js-tiktoken/ranks/o200k_base'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
};
