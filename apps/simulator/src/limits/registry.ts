import { BoundedMap } from '../bounded-map.ts';
import type { Clock } from '../clock.ts';
import { limitsFor, type Settings } from '../settings.ts';
import { Allowance } from './allowance.ts';
import { Slots } from './slots.ts';

const MOST_ALLOWANCES = 10_000;
const NO_LIMITS = {
  requests_per_minute: null,
  tokens_per_minute: null,
  slots: null,
  queue_limit: null,
};

/** Every allowance (by API key and model) and every engine's slots (by model) seen so far. */
export class LimitRegistry {
  #settings: Settings;
  readonly #allowances = new BoundedMap<{ key: string; model: string; allowance: Allowance }>(
    MOST_ALLOWANCES,
  );
  readonly #clock: Clock;
  readonly #slots = new BoundedMap<Slots>(MOST_ALLOWANCES);

  constructor(settings: Settings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  allowance(key: string, model: string, nowMs: number): Allowance {
    const id = `${key}\n${model}`;
    const known = this.#allowances.get(id);
    if (known) return known.allowance;
    const limits = limitsFor(this.#settings, key, model) ?? NO_LIMITS;
    const allowance = new Allowance(limits, this.#settings, nowMs);
    this.#allowances.set(id, { key, model, allowance });
    return allowance;
  }

  slots(model: string): Slots {
    const known = this.#slots.get(model);
    if (known) return known;
    const limits = limitsFor(this.#settings, null, model) ?? NO_LIMITS;
    const slots = new Slots(limits.slots, limits.queue_limit, this.#clock);
    this.#slots.set(model, slots);
    return slots;
  }

  /** Running and waiting calls per model, for the metrics page and the stats. */
  engines(): Iterable<[string, Slots]> {
    return this.#slots.entries();
  }

  configure(settings: Settings, nowMs: number): void {
    this.#settings = settings;
    for (const [, { key, model, allowance }] of this.#allowances.entries()) {
      allowance.configure(limitsFor(settings, key, model) ?? NO_LIMITS, settings, nowMs);
    }
    for (const [model, slots] of this.#slots.entries()) {
      const limits = limitsFor(settings, null, model) ?? NO_LIMITS;
      slots.configure(limits.slots, limits.queue_limit);
    }
  }

  /** Forgets the buckets, which start anew at the configured level; slots hold running calls. */
  reset(): void {
    this.#allowances.clear();
    for (const [, slots] of this.#slots.entries()) slots.resetSums();
  }
}
