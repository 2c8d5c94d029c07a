import type { EncodingName } from './model-encoding.ts';

/** How an encoding cuts text into pieces, and how early each string was merged in its training. */
export interface Encoding {
  pieces: RegExp;
  ranks: ReadonlyMap<string, number>;
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
  const ranks = new Map<string, number>();
  let entries = 0;
  for (const line of table.bpe_ranks.split('\n')) {
    // A line is a mark, the rank of its first entry, and the entries in base64.
    const [, first = '', ...encoded] = line.split(' ');
    let rank = Number(first);
    for (const entry of encoded) {
      const text = Buffer.from(entry, 'base64').toString();
      // Entries that are parts of a character (about 1,600 of 200,000) are no strings; see countTokens.
      if (!text.includes('\uFFFD')) ranks.set(text, rank);
      rank += 1;
      entries += 1;
      if (entries % ENTRIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { pieces: new RegExp(table.pat_str, 'gu'), ranks };
}

const tables = {
  o200k_base: () => import('js-tiktoken/ranks/o200k_base'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
};
