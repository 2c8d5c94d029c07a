export interface BucketOptions {
  /** The limit as the provider states it, per minute. */
  perMinute: number;
  /** How much time's worth of the limit the bucket holds: 60 000 is a bucket one minute deep. */
  windowMs: number;
  /** How full the bucket starts, 0 to 1. */
  startLevel: number;
  /** The part of the refill that other users of the same account eat, 0 to 1. */
  outsideShare: number;
}

/** Forgives the rounding of floating-point refills: a call that waited as told must be let in. */
const EPSILON = 1e-6;

/**
 * A limit that is refilled continuously. The caller passes the time (milliseconds), which must
 * not go backwards; a step back counts as no time at all.
 */
export class Bucket {
  #options: BucketOptions;
  #level: number;
  #refilledAtMs: number;

  constructor(options: BucketOptions, nowMs: number) {
    this.#options = options;
    this.#level = this.capacity * options.startLevel;
    this.#refilledAtMs = nowMs;
  }

  get perMinute(): number {
    return this.#options.perMinute;
  }

  /** At least 1, so that a limit of 3 per minute in 1 s windows still lets single calls through. */
  get capacity(): number {
    return Math.max(1, (this.#options.perMinute * this.#options.windowMs) / 60_000);
  }

  level(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#refilledAtMs);
    const refill = elapsedMs * this.#ratePerMs() * (1 - this.#options.outsideShare);
    this.#refilledAtMs = Math.max(nowMs, this.#refilledAtMs);
    // A level above the capacity (after a refund) is cut here and nowhere else.
    this.#level = Math.min(this.capacity, this.#level + refill);
    return this.#level;
  }

  has(amount: number, nowMs: number): boolean {
    return this.level(nowMs) + EPSILON >= amount;
  }

  take(amount: number, nowMs: number): void {
    this.#level = this.level(nowMs) - amount;
  }

  /** Takes what is there, down to zero: how a refused call is charged. */
  takeAtMost(amount: number, nowMs: number): void {
    const level = this.level(nowMs);
    this.#level = Math.min(level, Math.max(0, level - amount));
  }

  /** Gives back; a negative amount takes more, below zero if it must. */
  give(amount: number, nowMs: number): void {
    this.#level = this.level(nowMs) + amount;
  }

  /** Whole units in use, rounded up, as a 429 message states them. */
  used(nowMs: number): number {
    return Math.max(0, Math.ceil(this.capacity - this.level(nowMs) - EPSILON));
  }

  /** Milliseconds until the bucket is full, as the provider believes: it knows of no outsiders. */
  fullInMs(nowMs: number): number {
    return (this.capacity - this.level(nowMs)) / this.#ratePerMs();
  }

  /**
   * Milliseconds to wait for `amount`: (used + requested - capacity) / rate, on the whole numbers
   * that the message shows, which is how public 429 messages compute it to the millisecond.
   */
  waitMs(amount: number, nowMs: number): number {
    return Math.max(0, this.used(nowMs) + amount - this.capacity) / this.#ratePerMs();
  }

  /** New limits keep what is used, not what is left: a raised limit is there at once. */
  configure(options: BucketOptions, nowMs: number): void {
    const used = this.capacity - this.level(nowMs);
    this.#options = options;
    this.#level = Math.max(0, this.capacity - used);
  }

  #ratePerMs(): number {
    return this.#options.perMinute / 60_000;
  }
}
