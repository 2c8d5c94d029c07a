/** Deeper JSON parses, and then overflows the stack of whoever serialises it. */
export const MAX_JSON_DEPTH = 128;

/** Where a top-level value stands in the text: `text.slice(start, end)`. */
export interface Span {
  start: number;
  end: number;
}

export type ScanResult =
  | { kind: 'ok'; spans: ReadonlyMap<string, Span> }
  | { kind: 'too_deep'; path: string }
  | { kind: 'forbidden_key'; path: string };

/** A path goes into an error message; a key can be as long as the body. */
const MAX_PATH_LENGTH = 200;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** An array or object that is open, and where in it the scan is. */
interface Level {
  isObject: boolean;
  key: string;
  index: number;
}

/**
 * Looks through JSON text once, without building it: how deep it is nested, whether a key would reach a prototype,
 * and where the values of the outermost object stand, so that they can be passed on byte for byte. Text that is
 * not JSON gives no error here; the parse that follows does.
 */
export function scanJson(text: string): ScanResult {
  const spans = new Map<string, Span>();
  // No closure shares these: the loop would have to fetch them from memory at each character.
  const levels: Level[] = [];
  let level: Level | undefined;
  let expectsKey = false;
  let valueStart = -1;

  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    // Digits: most of what stands outside of strings.
    if (char > COMMA && char < COLON) continue;
    if (char === COMMA) {
      if (level === undefined) continue;
      if (!level.isObject) {
        level.index += 1;
        continue;
      }
      expectsKey = true;
      if (valueStart >= 0 && levels.length === 1) {
        spans.set(level.key, trim(text, valueStart, i));
        valueStart = -1;
      }
    } else if (char === QUOTE) {
      const end = endOfString(text, i);
      if (expectsKey && level !== undefined) {
        level.key = decodeKey(text.slice(i + 1, end));
        expectsKey = false;
        if (isForbidden(levels)) return { kind: 'forbidden_key', path: pathOf(levels) };
      }
      i = end;
    } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      if (levels.length >= MAX_JSON_DEPTH) return { kind: 'too_deep', path: pathOf(levels) };
      expectsKey = char === OPEN_BRACE;
      level = { isObject: expectsKey, key: '', index: 0 };
      levels.push(level);
      if (!expectsKey) {
        const end = endOfNumbers(text, i + 1);
        if (text.charCodeAt(end) === CLOSE_BRACKET) i = end - 1;
      }
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      if (valueStart >= 0 && levels.length === 1 && level !== undefined) {
        spans.set(level.key, trim(text, valueStart, i));
        valueStart = -1;
      }
      levels.pop();
      level = levels[levels.length - 1];
      expectsKey = false;
    } else if (
      char === COLON &&
      valueStart < 0 &&
      levels.length === 1 &&
      level?.isObject === true
    ) {
      valueStart = i + 1;
    }
  }
  return { kind: 'ok', spans };
}

/** Whether the key just read is one through which an assignment would reach a prototype. */
function isForbidden(levels: readonly Level[]): boolean {
  const key = levels.at(-1)?.key;
  if (key === '__proto__') return true;
  const outer = levels.at(-2);
  return key === 'prototype' && outer?.isObject === true && outer.key === 'constructor';
}

function pathOf(levels: readonly Level[]): string {
  let joined = '';
  for (const { isObject, key, index } of levels) {
    if (!isObject) joined += `[${index}]`;
    else joined += joined === '' ? key : `.${key}`;
    if (joined.length > MAX_PATH_LENGTH) return `${joined.slice(0, MAX_PATH_LENGTH)}…`;
  }
  return joined;
}

/** Arrays of tokens and vectors are long, and hold nothing to look for: the loop above takes more than twice as long over them. */
function endOfNumbers(text: string, from: number): number {
  let at = from;
  for (;;) {
    const char = text.charCodeAt(at);
    // Digits, signs, commas, points, white space; also what JSON does not know. False for NaN, at the end of the text.
    if (!(char < COLON) || char === QUOTE) return at;
    at += 1;
  }
}

function endOfString(text: string, open: number): number {
  let from = open + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslashes = 0;
    for (let i = quote - 1; text.charCodeAt(i) === BACKSLASH; i -= 1) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** A key can be written with escapes (`\u005f`); what counts is what it says. */
function decodeKey(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function trim(text: string, start: number, end: number): Span {
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return { start, end };
}

function isSpace(char: number): boolean {
  return char === 32 || (char >= 9 && char <= 13);
}
