import type { Encoding } from './encoding.ts';
import { NO_RANK, rankOf, type Vocabulary } from './vocabulary.ts';

/**
 * Byte-pair merging takes the square of a piece's length. Text in words has pieces of a few characters; what has none
 * (one letter 200,000 times) is cut into these, so that it takes as long as other text. A cut adds a token at most.
 */
const LONGEST_PIECE = 24;

/** Where each part of a piece starts, and the rank of it together with the part after it. Used by one call at a time. */
const starts = new Int32Array(LONGEST_PIECE + 2);
const joinedRanks = new Int32Array(LONGEST_PIECE + 2);

/**
 * Tokens of a text in this encoding. Names of special tokens are text like any other.
 *
 * Merges characters where the original merges bytes: characters are nearly all in the vocabulary, and a third of the
 * parts are then left to merge in Chinese. The two differ only where they are not; `docs/token-estimates.md` says by how
 * much.
 */
export function countTokens({ pieces, vocabulary }: Encoding, text: string): number {
  let tokens = 0;
  let from = 0;
  pieces.lastIndex = 0;
  // `test` only moves `lastIndex`, where `match` would make a string of each piece.
  while (pieces.test(text)) {
    const to = pieces.lastIndex;
    if (rankOf(vocabulary, text, from, to) !== NO_RANK) tokens += 1;
    else {
      for (let at = from; at < to; at += LONGEST_PIECE) {
        tokens += countPiece(vocabulary, text, at, Math.min(at + LONGEST_PIECE, to));
      }
    }
    from = to;
  }
  return tokens;
}

/** Joins the neighbours that were joined earliest in training, until no two that are left belong together. */
function countPiece(vocabulary: Vocabulary, text: string, from: number, to: number): number {
  let parts = splitCharacters(text, from, to);
  for (let part = 0; part < parts; part += 1) {
    joinedRanks[part] = joinedRank(vocabulary, text, part, parts);
  }
  for (;;) {
    let lowest = NO_RANK;
    let at = -1;
    for (let part = 0; part < parts - 1; part += 1) {
      const rank = joinedRanks[part] ?? NO_RANK;
      if (rank < lowest) {
        lowest = rank;
        at = part;
      }
    }
    if (at === -1) break;
    starts.copyWithin(at + 1, at + 2, parts + 1);
    joinedRanks.copyWithin(at + 1, at + 2, parts);
    parts -= 1;
    joinedRanks[at] = joinedRank(vocabulary, text, at, parts);
    if (at > 0) joinedRanks[at - 1] = joinedRank(vocabulary, text, at - 1, parts);
  }
  let tokens = 0;
  for (let part = 0; part < parts; part += 1) {
    tokens += tokensOfPart(vocabulary, text, starts[part] ?? to, starts[part + 1] ?? to);
  }
  return tokens;
}

function joinedRank(vocabulary: Vocabulary, text: string, part: number, parts: number): number {
  if (part + 1 >= parts) return NO_RANK;
  return rankOf(vocabulary, text, starts[part] ?? 0, starts[part + 2] ?? 0);
}

/** Fills `starts` with one start per character, and the end. */
function splitCharacters(text: string, from: number, to: number): number {
  let parts = 0;
  for (let at = from; at < to; at += 1) {
    starts[parts] = at;
    parts += 1;
    if (at + 1 < to && isPair(text, at)) at += 1;
  }
  starts[parts] = to;
  return parts;
}

function isPair(text: string, at: number): boolean {
  const low = text.charCodeAt(at + 1);
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (low & 0xfc00) === 0xdc00;
}

/** A character that the vocabulary does not have: emoji and those of the basic plane share all bytes but the last. */
function tokensOfPart(vocabulary: Vocabulary, text: string, from: number, to: number): number {
  if (rankOf(vocabulary, text, from, to) !== NO_RANK) return 1;
  const isEmojiOrBasic = (text.charCodeAt(from) & 0xfffc) === 0xd83c || to - from === 1;
  return isEmojiOrBasic ? 2 : 3;
}
