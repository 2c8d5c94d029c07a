import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';
import { errorBody, type ProviderError } from './errors.ts';
import type { LedgerEntry, Outcome } from './ledger.ts';

const JSON_TYPE = 'application/json';

/**
 * One call's side of a connection: sends the answer, notices a caller that goes away, and makes
 * sure that the ledger entry is ended exactly once.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: LedgerEntry;
  /** Limit headers and ids, as a flat list of names and values. */
  readonly headers: string[];
  /** True once the caller is gone. */
  gone = false;
  readonly #clock: Clock;
  readonly #atEnd: Array<(entry: LedgerEntry) => void> = [];
  readonly #whenGone = new Set<() => void>();
  #ended = false;
  #cutByUs = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    entry: LedgerEntry,
    clock: Clock,
  ) {
    this.request = request;
    this.response = response;
    this.entry = entry;
    this.#clock = clock;
    this.headers = ['x-request-id', `req_${entry.n}_${entry.body_sha256.slice(0, 12)}`];
    response.once('close', () => this.#closed());
  }

  /** Runs once, when the call is over in whatever way. */
  atEnd(callback: (entry: LedgerEntry) => void): void {
    this.#atEnd.push(callback);
  }

  /** Runs if the caller goes away first; the returned function takes that back. */
  whenGone(callback: () => void): () => void {
    this.#whenGone.add(callback);
    return () => this.#whenGone.delete(callback);
  }

  /** Waits; false if the caller went away meanwhile. */
  async sleep(durationMs: number): Promise<boolean> {
    if (this.gone || durationMs <= 0) return !this.gone;
    return new Promise((resolve) => {
      const forget = this.whenGone(() => {
        clearTimeout(timer);
        resolve(false);
      });
      const timer = setTimeout(() => {
        forget();
        resolve(true);
      }, durationMs);
    });
  }

  /** Sends a whole answer and ends the call. */
  send(status: number, body: string, outcome: Outcome, contentType: string = JSON_TYPE): void {
    if (this.gone) return;
    this.response.writeHead(status, [
      'content-type',
      contentType,
      'content-length',
      String(Buffer.byteLength(body)),
      ...this.headers,
    ]);
    this.response.end(body);
    this.entry.status = status;
    this.end(outcome);
  }

  sendError(error: ProviderError): void {
    this.send(error.status, errorBody(error), error.status === 429 ? 'rate_limited' : 'error');
  }

  /** Opens an answer that is written bit by bit. */
  open(status: number, headers: readonly string[]): void {
    this.entry.status = status;
    this.response.writeHead(status, [...headers, ...this.headers]);
  }

  /** Ends the call in the ledger; later ends, and a caller leaving afterwards, change nothing. */
  end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.entry.outcome = outcome;
    this.entry.ended_at_ms = Math.floor(this.#clock());
    for (const callback of this.#atEnd) callback(this.entry);
  }

  /** Breaks the connection: `reset` sends RST at once, `close` what was written and then FIN. */
  cut(how: 'reset' | 'close'): void {
    this.#cutByUs = true;
    this.end('broken');
    if (how === 'reset') this.request.socket.resetAndDestroy();
    else this.request.socket.destroySoon();
  }

  #closed(): void {
    if (!this.response.writableFinished && !this.#cutByUs) {
      this.gone = true;
      this.entry.client_aborted = true;
      this.end('aborted');
      for (const callback of this.#whenGone) callback();
    }
    this.#whenGone.clear();
  }
}
