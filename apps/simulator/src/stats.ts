import { BoundedMap } from './bounded-map.ts';
import type { LedgerEntry, Outcome } from './ledger.ts';
import type { Occupancy } from './limits/slots.ts';

const MOST_MODELS = 1000;

export interface ModelCounts {
  calls: number;
  by_status: Record<string, number>;
  by_outcome: Partial<Record<Outcome, number>>;
  input_tokens: number;
  output_tokens: number;
  charged_tokens: number;
}

/** What `GET /_simulator/stats` answers; counts since the start or the last reset. */
export interface Stats {
  /** When these were read. */
  at_ms: number;
  calls: number;
  in_flight: number;
  max_in_flight: number;
  rate_limited: number;
  aborted: number;
  /** Calls whose very body had been received before. */
  repeated: number;
  /** Tokens in good answers. */
  input_tokens: number;
  output_tokens: number;
  /** Tokens taken from the buckets. */
  charged_tokens: number;
  first_call_at_ms: number | null;
  last_call_at_ms: number | null;
  models: Record<string, ModelCounts>;
  /** Each model's engine, whether its slots are limited or not. */
  engines: Record<string, Occupancy>;
}

/** What is counted call by call. */
type Counts = Omit<Stats, 'at_ms' | 'engines'>;

const emptyStats = (inFlight: number): Omit<Counts, 'models'> => ({
  calls: 0,
  in_flight: inFlight,
  max_in_flight: inFlight,
  rate_limited: 0,
  aborted: 0,
  repeated: 0,
  input_tokens: 0,
  output_tokens: 0,
  charged_tokens: 0,
  first_call_at_ms: null,
  last_call_at_ms: null,
});

/** Counts calls as they come and go. */
export class Counters {
  #totals = emptyStats(0);
  readonly #models = new BoundedMap<ModelCounts>(MOST_MODELS);

  opened(entry: LedgerEntry): void {
    const totals = this.#totals;
    totals.calls += 1;
    totals.in_flight += 1;
    totals.max_in_flight = Math.max(totals.max_in_flight, totals.in_flight);
    if (entry.attempt > 1) totals.repeated += 1;
    totals.first_call_at_ms ??= entry.at_ms;
    totals.last_call_at_ms = entry.at_ms;
  }

  ended(entry: LedgerEntry): void {
    const totals = this.#totals;
    totals.in_flight -= 1;
    if (entry.outcome === 'rate_limited') totals.rate_limited += 1;
    if (entry.outcome === 'aborted') totals.aborted += 1;
    const model = this.#model(entry.model ?? '(none)');
    const status = String(entry.status ?? 'none');
    model.calls += 1;
    model.by_status[status] = (model.by_status[status] ?? 0) + 1;
    model.by_outcome[entry.outcome] = (model.by_outcome[entry.outcome] ?? 0) + 1;
    for (const counts of [totals, model]) {
      counts.charged_tokens += entry.charged_tokens;
      counts.input_tokens += entry.input_tokens;
      counts.output_tokens += entry.output_tokens;
    }
  }

  snapshot(): Counts {
    return { ...this.#totals, models: Object.fromEntries(this.#models.entries()) };
  }

  reset(): void {
    this.#totals = emptyStats(this.#totals.in_flight);
    this.#models.clear();
  }

  #model(name: string): ModelCounts {
    const known = this.#models.get(name);
    if (known) return known;
    const counts: ModelCounts = {
      calls: 0,
      by_status: {},
      by_outcome: {},
      input_tokens: 0,
      output_tokens: 0,
      charged_tokens: 0,
    };
    this.#models.set(name, counts);
    return counts;
  }
}
