import type { Encoding } from './encoding.ts';

/**
 * Byte-pair merging takes the square of a piece's length. Text in words has pieces of a few characters; what has none
 * (one letter 200,000 times) is cut into these, so that it takes as long as other text. A cut adds a token at most.
 */
const LONGEST_PIECE = 24;

/** Where each part of a piece starts, and the rank of it together with the part after it. Used by one call at a time. */
const starts = new Int32Array(LONGEST_PIECE + 2);
const joinedRanks = new Int32Array(LONGEST_PIECE + 2);
const NEVER = 0x7fff_ffff;

/**
 * Tokens of a text in this encoding. Names of special tokens are text like any other.
 *
 * Merges characters where the original merges bytes: characters are nearly all in the vocabulary, and a third of the
 * parts are then left to merge in Chinese. The two differ only where they are not; `docs/token-estimates.md` says by how
 * much.
 */
export function countTokens(encoding: Encoding, text: string): number {
  const { ranks } = encoding;
  let tokens = 0;
  for (const piece of text.match(encoding.pieces) ?? []) {
    if (ranks.has(piece)) tokens += 1;
    else if (piece.length <= LONGEST_PIECE) tokens += countPiece(ranks, piece);
    else {
      for (let at = 0; at < piece.length; at += LONGEST_PIECE) {
        tokens += countPiece(ranks, piece.slice(at, at + LONGEST_PIECE));
      }
    }
  }
  return tokens;
}

/** Joins the neighbours that were joined earliest in training, until no two that are left belong together. */
function countPiece(ranks: Encoding['ranks'], piece: string): number {
  let parts = splitCharacters(piece);
  const rankAt = (part: number): number =>
    part + 1 < parts ? (ranks.get(piece.slice(starts[part], starts[part + 2])) ?? NEVER) : NEVER;
  for (let part = 0; part < parts; part += 1) joinedRanks[part] = rankAt(part);
  for (;;) {
    let lowest = NEVER;
    let at = -1;
    for (let part = 0; part < parts - 1; part += 1) {
      const rank = joinedRanks[part] ?? NEVER;
      if (rank < lowest) {
        lowest = rank;
        at = part;
      }
    }
    if (at === -1) break;
    starts.copyWithin(at + 1, at + 2, parts + 1);
    joinedRanks.copyWithin(at + 1, at + 2, parts);
    parts -= 1;
    joinedRanks[at] = rankAt(at);
    if (at > 0) joinedRanks[at - 1] = rankAt(at - 1);
  }
  let tokens = 0;
  for (let part = 0; part < parts; part += 1) {
    tokens += tokensOfPart(ranks, piece.slice(starts[part], starts[part + 1]));
  }
  return tokens;
}

/** Fills `starts` with one start per character, and the end. */
function splitCharacters(piece: string): number {
  let parts = 0;
  for (let at = 0; at < piece.length; at += 1) {
    starts[parts] = at;
    parts += 1;
    if (isPair(piece, at)) at += 1;
  }
  starts[parts] = piece.length;
  return parts;
}

function isPair(text: string, at: number): boolean {
  const low = text.charCodeAt(at + 1);
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (low & 0xfc00) === 0xdc00;
}

/** A character that the vocabulary does not have: emoji and those of the basic plane share all bytes but the last. */
function tokensOfPart(ranks: Encoding['ranks'], part: string): number {
  if (ranks.has(part)) return 1;
  const isEmojiOrBasic = (part.charCodeAt(0) & 0xfffc) === 0xd83c || part.length === 1;
  return isEmojiOrBasic ? 2 : 3;
}
