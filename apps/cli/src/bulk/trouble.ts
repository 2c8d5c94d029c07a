import OpenAI from 'openai';

/** Why a call of the API brought no answer that can be used. */
export type Trouble =
  /** No answer: it is away, or starts again. */
  | { kind: 'unreachable'; reason: string }
  /** Not now: it says when. */
  | { kind: 'busy'; status: number; reason: string; retryAfterMs: number | null }
  /** No. */
  | { kind: 'refused'; status: number; reason: string; param: string | null; code: string | null };

/** Null for what is no answer of the API and no lack of one: a defect, or a signal. */
export function troubleOf(error: unknown): Trouble | null {
  if (error instanceof OpenAI.APIUserAbortError) return null;
  if (error instanceof OpenAI.APIConnectionError) {
    return { kind: 'unreachable', reason: reasonOf(error) };
  }
  if (error instanceof OpenAI.APIError) return troubleOfAnswer(error);
  // A body that ends too early comes from below the SDK.
  const isCut = error instanceof TypeError && /terminated|fetch failed/.test(error.message);
  return isCut ? { kind: 'unreachable', reason: reasonOf(error) } : null;
}

function troubleOfAnswer({
  status,
  error,
  headers,
  code,
  param,
}: InstanceType<typeof OpenAI.APIError>): Trouble {
  const told = error && 'message' in error ? error.message : undefined;
  const reason = typeof told === 'string' ? told : `it answered ${status ?? 'nothing'}`;
  const number = status ?? 500;
  if (number < 500 && number !== 429 && number !== 408) {
    return { kind: 'refused', status: number, reason, param: param ?? null, code: code ?? null };
  }
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  return { kind: 'busy', status: number, reason, retryAfterMs };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be resolved now',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_SOCKET: 'the connection was cut',
};

/** The innermost reason that has a name. */
export function reasonOf(error: Error): string {
  let reason = error.message.replace(/\.$/, '');
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    reason = WORDS[code ?? ''] ?? (at.message || reason);
  }
  return reason;
}
