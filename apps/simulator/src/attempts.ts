import { BoundedMap } from './bounded-map.ts';

/** Counts how often each distinct body was received; forgets the oldest beyond `limit`. */
export class Attempts {
  readonly #counts: BoundedMap<number>;

  constructor(limit: number) {
    this.#counts = new BoundedMap(limit);
  }

  /** 1 for a body that is new, 2 when it comes again. */
  next(sha256: string): number {
    const attempt = (this.#counts.get(sha256) ?? 0) + 1;
    this.#counts.set(sha256, attempt);
    return attempt;
  }

  reset(): void {
    this.#counts.clear();
  }
}
