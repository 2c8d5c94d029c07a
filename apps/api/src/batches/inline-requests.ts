import { scanJson } from '@nightshift/shared/json';

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;

/** The texts of an array's elements, as they were written. The text is known to be a JSON array. */
export function* arrayElements(text: string): Generator<string, void, undefined> {
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      i = endOfString(text, i);
    } else if (char === 0x5b || char === 0x7b) {
      depth += 1;
      if (depth === 1) start = i + 1;
    } else if (char === 0x5d || char === 0x7d) {
      depth -= 1;
      const last = depth === 0 ? text.slice(start, i).trim() : '';
      if (last !== '') yield last;
    } else if (char === COMMA && depth === 1) {
      yield text.slice(start, i).trim();
      start = i + 1;
    }
  }
}

function endOfString(text: string, open: number): number {
  let at = open + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

/**
 * A request of a batch without a file as the line that stands for it. Its body stays as it was written, but for line
 * breaks between its tokens, and for the batch's model where it names none.
 */
export function inlineLine(element: string, endpoint: string, model: string | null): string {
  const flat = element.replaceAll(/[\r\n]/g, ' ');
  const parsed = JSON.parse(flat) as unknown;
  // Whatever it is, the check of the lines says what is wrong with it.
  if (!isObject(parsed)) return flat;
  const { custom_id: customId, method = 'POST', url = endpoint, body } = parsed;
  const scan = scanJson(flat);
  const span = scan.kind === 'ok' ? scan.spans.get('body') : undefined;
  const head = JSON.stringify({ custom_id: customId, method, url });
  if (span === undefined) return head;
  const text = flat.slice(span.start, span.end);
  const named = isObject(body) && model !== null ? withModel(text, body, model) : text;
  return `${head.slice(0, -1)},"body":${named}}`;
}

function withModel(text: string, body: Record<string, unknown>, model: string): string {
  if (Object.hasOwn(body, 'model')) return text;
  const rest = Object.keys(body).length === 0 ? '}' : `,${text.slice(1)}`;
  return `{"model":${JSON.stringify(model)}${rest}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
