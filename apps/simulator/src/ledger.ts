/** How a call ended, seen from the provider. */
export type Outcome =
  /** Not ended yet. */
  | 'pending'
  /** A good answer was given in full. */
  | 'ok'
  /** Refused with 429. */
  | 'rate_limited'
  /** Answered with another error envelope. */
  | 'error'
  /** A fault broke the answer: reset, cut, garbled. */
  | 'broken'
  /** The caller went away before the answer was complete. */
  | 'aborted';

/** One call, as `GET /_simulator/calls` lists it. Times are milliseconds since the epoch. */
export interface LedgerEntry {
  /** Counts from 1 and never starts anew while the simulator runs. */
  n: number;
  /** When the request had been received in full. */
  at_ms: number;
  path: string;
  model: string | null;
  /** See `markerOf`. */
  marker: string | null;
  body_sha256: string;
  /** How often this very body had been received by then, this time included. */
  attempt: number;
  stream: boolean;
  status: number | null;
  outcome: Outcome;
  /** The fault that struck, in the words of `Fault.kind`. */
  fault: string | null;
  /** When work on it began: admitted, and out of the engine's queue. */
  started_at_ms: number | null;
  ended_at_ms: number | null;
  client_aborted: boolean;
  /** The answer's id; null when there was no good answer. */
  response_id: string | null;
  input_tokens: number;
  output_tokens: number;
  /** What the call took from the token bucket. */
  charged_tokens: number;
}

export interface LedgerQuery {
  /** Only calls with a higher number. */
  after?: number | undefined;
  /** At most so many, 1 to 10 000. */
  limit?: number | undefined;
  model?: string | undefined;
  marker?: string | undefined;
  /** The whole SHA-256 or its beginning. */
  digest?: string | undefined;
  outcome?: string | undefined;
}

export interface LedgerPage {
  object: 'list';
  data: LedgerEntry[];
  has_more: boolean;
  /** The `after` of the next page. */
  last_n: number;
  /** Calls below this number are no longer remembered. */
  first_n: number;
}

const DEFAULT_LIMIT = 1000;

/** The last `size` calls, oldest overwritten first. */
export class Ledger {
  readonly #ring: LedgerEntry[] = [];
  readonly #size: number;
  #lastN = 0;
  #firstN = 1;

  constructor(size: number) {
    this.#size = size;
  }

  get lastN(): number {
    return this.#lastN;
  }

  add(entry: Omit<LedgerEntry, 'n'>): LedgerEntry {
    this.#lastN += 1;
    const numbered = { n: this.#lastN, ...entry };
    this.#ring[this.#lastN % this.#size] = numbered;
    this.#firstN = Math.max(this.#firstN, this.#lastN - this.#size + 1);
    return numbered;
  }

  calls(query: LedgerQuery = {}): LedgerPage {
    const { limit = DEFAULT_LIMIT } = query;
    const data: LedgerEntry[] = [];
    let n = Math.max((query.after ?? 0) + 1, this.#firstN);
    let lastN = n - 1;
    for (; n <= this.#lastN && data.length < limit; n += 1) {
      const entry = this.#ring[n % this.#size];
      lastN = n;
      if (entry && matches(entry, query)) data.push(entry);
    }
    return {
      object: 'list',
      data,
      has_more: lastN < this.#lastN,
      last_n: lastN,
      first_n: this.#firstN,
    };
  }

  /** Forgets every call; numbers go on, so that a cursor stays valid. */
  reset(): void {
    this.#firstN = this.#lastN + 1;
  }
}

function matches(entry: LedgerEntry, query: LedgerQuery): boolean {
  return (
    (query.model === undefined || entry.model === query.model) &&
    (query.marker === undefined || entry.marker === query.marker) &&
    (query.digest === undefined || entry.body_sha256.startsWith(query.digest)) &&
    (query.outcome === undefined || entry.outcome === query.outcome)
  );
}
