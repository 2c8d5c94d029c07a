import { reasonOf } from '../bulk/trouble.ts';
import type { Server } from '../bulk/server.ts';

export type ApiAnswer =
  | { kind: 'answered'; status: number; body: unknown; dateMs: number | null }
  | { kind: 'away'; reason: string };

/** Reads a path of the API once, without retries. */
export type ReadApi = (path: string) => Promise<ApiAnswer>;

const TIMEOUT_MS = 8000;

export function createApiReader({ url, apiKey }: Server, signal: AbortSignal): ReadApi {
  return async (path) => {
    try {
      const response = await fetch(`${url}${path}`, {
        headers: apiKey === null ? {} : { authorization: `Bearer ${apiKey}` },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      const text = await response.text();
      const dateMs = Date.parse(response.headers.get('date') ?? '');
      return {
        kind: 'answered',
        status: response.status,
        body: parsed(text),
        dateMs: Number.isNaN(dateMs) ? null : dateMs,
      };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'away', reason: reasonOf(error as Error) };
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** The message of an error envelope, or the status. */
export function saidIn({ status, body }: Extract<ApiAnswer, { kind: 'answered' }>): string {
  const said = (body as { error?: { message?: unknown } } | null)?.error?.message;
  return typeof said === 'string' ? `${status}: ${said}` : `it answered ${status}`;
}
