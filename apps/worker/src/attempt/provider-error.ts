/** What a provider says of a failure; empty texts where it says nothing. It goes into records and messages. */
export interface ProviderError {
  /** At most 500 characters. */
  message: string;
  code: string;
  type: string;
  /** A status that the body itself names, for failures inside a 2xx. */
  status: number | null;
}

const MAX_CHARACTERS = 500;
const nothing: ProviderError = { message: '', code: '', type: '', status: null };

/**
 * Reads an error body in every shape that is in use: OpenAI's envelope, `error` as text, Gemini's array of envelopes, FastAPI's
 * `detail` as text or list, a `message` at the top (Bedrock, Cohere, Mistral), plain text, and the title of an HTML page.
 */
export function readProviderError(body: string): ProviderError {
  const text = body.replace(/^\uFEFF/, '').trim();
  if (text === '') return nothing;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { ...nothing, message: shorten(fromText(text)) };
  }
  return fromJson(parsed);
}

/** The same of a body that is parsed already. */
export function fromJson(parsed: unknown): ProviderError {
  if (typeof parsed === 'string') return { ...nothing, message: shorten(parsed) };
  if (Array.isArray(parsed)) return parsed.length === 0 ? nothing : fromJson(parsed[0]);
  const envelope = record(parsed);
  if (envelope === null) return nothing;
  const inner = record(envelope['error']) ?? envelope;
  const said = [inner['message'], envelope['error'], inner['detail'], envelope['detail']];
  return {
    message: shorten(said.map(textOf).find((text) => text !== '') ?? ''),
    code: textOf(inner['code']),
    type: textOf(inner['type']),
    status: statusOf(inner['code']) ?? statusOf(inner['status']) ?? statusOf(envelope['status']),
  };
}

/** A text, or the texts of a list: FastAPI lists `{loc, msg}`. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value.trim();
  if (!Array.isArray(value)) return '';
  return value
    .map((item) => (typeof item === 'string' ? item : textOf(record(item)?.['msg'])))
    .filter((text) => text !== '')
    .join('; ');
}

function statusOf(value: unknown): number | null {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
    ? status
    : null;
}

function fromText(text: string): string {
  if (!text.startsWith('<')) return text;
  const title = /<(title|h1)[^>]*>([^<]{1,1000})</i.exec(text.slice(0, 20_000))?.[2] ?? '';
  return title.replaceAll(/\s+/g, ' ').trim();
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function shorten(message: string): string {
  return message.length > MAX_CHARACTERS ? `${message.slice(0, MAX_CHARACTERS - 1)}…` : message;
}
