import { createCustomIds } from './custom-ids.ts';
import { readInputLine, type InputError, type InputRequest, type LineRules } from './input-line.ts';
import { createLineSplitter, type SplitLine } from './line-splitter.ts';

export type InputLine = InputRequest | InputError;

export interface InputRules extends LineRules {
  limits: {
    /** Requests in a file; blank lines are none. */
    requests: number;
    /** Everything between two line feeds. */
    lineBytes: number;
  };
  /** The file was read whole before: no custom id stands in it twice, and none has to be remembered. */
  isRead?: boolean;
}

/**
 * Reads a batch's input file as a stream and says of every line either what it asks for or what is wrong with it, in
 * order, one result per line; blank lines give none. A byte-order mark, CRLF and a missing last line feed are fine. What
 * is wrong with the file as a whole comes last, with `line: null`: that it is empty, or that it has too many requests,
 * of which those beyond the limit are counted and not looked at.
 *
 * The memory held is one chunk of the source, one line of at most `lineBytes`, and about 34 bytes for each request of a
 * file that is read for the first time.
 */
export async function* validateInput(
  source: AsyncIterable<Uint8Array>,
  rules: InputRules,
): AsyncGenerator<InputLine, void, undefined> {
  const { limits } = rules;
  const splitter = createLineSplitter(limits.lineBytes);
  const customIds = rules.isRead === true ? null : createCustomIds();
  let requests = 0;

  const read = (split: SplitLine): InputLine | null => {
    const { line, byteLength, bytes } = split;
    if (bytes !== null && isBlank(bytes)) return null;
    requests += 1;
    if (requests > limits.requests) return null;
    if (bytes !== null) return readInputLine(bytes, split, rules, customIds);
    const message = `This line is ${byteLength} bytes long; at most ${limits.lineBytes} are allowed.`;
    return { kind: 'error', code: 'line_too_long', message, param: null, line };
  };

  for await (const chunk of source) {
    for (const split of splitter.push(chunk)) {
      const result = read(split);
      if (result !== null) yield result;
    }
  }
  const last = splitter.end();
  const result = last === null ? null : read(last);
  if (result !== null) yield result;

  if (requests === 0) {
    yield wholeFile('empty_file', 'The input file has no requests.');
  } else if (requests > limits.requests) {
    const message = `The input file has ${requests} requests; at most ${limits.requests} are allowed.`;
    yield wholeFile('too_many_requests_in_file', message);
  }
}

function wholeFile(code: InputError['code'], message: string): InputError {
  return { kind: 'error', code, message, param: null, line: null };
}

/** Nothing but what JSON takes for white space. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
