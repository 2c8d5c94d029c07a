/** What admission said to one model's calls in one second. */
export interface TimelineEntry {
  /** Unix seconds, whole. */
  at_s: number;
  model: string;
  admitted: number;
  refused: number;
  /** Tokens that the admitted calls took from their buckets. */
  charged_tokens: number;
}

export interface TimelineQuery {
  /** Only seconds after this one. */
  after?: number | undefined;
  model?: string | undefined;
}

/** Admissions by second and model, the last `size` entries; seconds without calls have none. */
export class Timeline {
  #entries: TimelineEntry[] = [];
  #current = new Map<string, TimelineEntry>();
  #currentS = Number.NaN;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** `chargedTokens` is null for a refused call. */
  add(model: string, nowMs: number, chargedTokens: number | null): void {
    const entry = this.#entry(model, Math.floor(nowMs / 1000));
    if (chargedTokens === null) entry.refused += 1;
    else {
      entry.admitted += 1;
      entry.charged_tokens += chargedTokens;
    }
  }

  entries({ after = -Infinity, model }: TimelineQuery = {}): TimelineEntry[] {
    return this.#entries.filter(
      (entry) => entry.at_s > after && (model === undefined || entry.model === model),
    );
  }

  reset(): void {
    this.#entries = [];
    this.#current = new Map();
    this.#currentS = Number.NaN;
  }

  #entry(model: string, atS: number): TimelineEntry {
    if (atS !== this.#currentS) {
      this.#current = new Map();
      this.#currentS = atS;
    }
    const known = this.#current.get(model);
    if (known) return known;
    const entry = { at_s: atS, model, admitted: 0, refused: 0, charged_tokens: 0 };
    this.#current.set(model, entry);
    this.#entries.push(entry);
    // In strides: shifting a long list by one for every second would cost more than the rest.
    if (this.#entries.length > this.#size * 1.1) this.#entries = this.#entries.slice(-this.#size);
    return entry;
  }
}
