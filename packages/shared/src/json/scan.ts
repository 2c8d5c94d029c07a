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

interface Frame {
  isObject: boolean;
  key: string;
  index: number;
  expectsKey: boolean;
}

/**
 * Looks through JSON text once, without building it: how deep it is nested, whether a key would reach a prototype,
 * and where the values of the outermost object stand, so that they can be passed on byte for byte. Text that is
 * not JSON gives no error here; the parse that follows does.
 */
export function scanJson(text: string): ScanResult {
  const spans = new Map<string, Span>();
  const frames: Frame[] = [];
  let valueStart = -1;
  const path = (): string => {
    let joined = '';
    for (const frame of frames) {
      if (!frame.isObject) joined += `[${frame.index}]`;
      else joined += joined === '' ? frame.key : `.${frame.key}`;
      if (joined.length > MAX_PATH_LENGTH) return `${joined.slice(0, MAX_PATH_LENGTH)}…`;
    }
    return joined;
  };
  const closeTopLevel = (at: number): void => {
    const top = frames[0];
    if (frames.length === 1 && top?.isObject === true && valueStart >= 0) {
      spans.set(top.key, trim(text, valueStart, at));
      valueStart = -1;
    }
  };

  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      const end = endOfString(text, i);
      const frame = frames[frames.length - 1];
      if (frame?.isObject === true && frame.expectsKey) {
        frame.key = decodeKey(text.slice(i + 1, end));
        frame.expectsKey = false;
        const outer = frames[frames.length - 2];
        if (
          frame.key === '__proto__' ||
          (frame.key === 'prototype' && outer?.isObject === true && outer.key === 'constructor')
        ) {
          return { kind: 'forbidden_key', path: path() };
        }
      }
      i = end;
    } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      if (frames.length >= MAX_JSON_DEPTH) return { kind: 'too_deep', path: path() };
      const isObject = char === OPEN_BRACE;
      frames.push({ isObject, key: '', index: 0, expectsKey: isObject });
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      closeTopLevel(i);
      frames.pop();
    } else if (char === COMMA) {
      closeTopLevel(i);
      const frame = frames[frames.length - 1];
      if (frame !== undefined) {
        frame.index += 1;
        frame.expectsKey = frame.isObject;
      }
    } else if (char === COLON && frames.length === 1 && valueStart < 0) {
      valueStart = i + 1;
    }
  }
  return { kind: 'ok', spans };
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
