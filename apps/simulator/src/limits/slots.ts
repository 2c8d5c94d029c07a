import type { Clock } from '../clock.ts';

/** Calls of one engine, now and summed over time. */
export interface Occupancy {
  running: number;
  waiting: number;
  /** The sum, over all calls, of how long each has run; over a stretch of time it gives the mean number. */
  running_ms: number;
  /** The same of the time spent in line. */
  waiting_ms: number;
}

/**
 * The slots of a self-hosted engine: so many calls run, the others wait in line, first come first
 * served. Without a number of slots everything runs.
 */
export class Slots {
  #slots: number | null;
  #queueLimit: number | null;
  #running = 0;
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock;
  #runningMs = 0;
  #waitingMs = 0;
  #countedAtMs: number;

  constructor(slots: number | null, queueLimit: number | null, clock: Clock) {
    this.#slots = slots;
    this.#queueLimit = queueLimit;
    this.#clock = clock;
    this.#countedAtMs = clock();
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether calls may have to wait at all. */
  get limited(): boolean {
    return this.#slots !== null;
  }

  occupancy(): Occupancy {
    this.#count();
    return {
      running: this.#running,
      waiting: this.#waiting.size,
      running_ms: Math.round(this.#runningMs),
      waiting_ms: Math.round(this.#waitingMs),
    };
  }

  /** Sums over time start anew. */
  resetSums(): void {
    this.#count();
    this.#runningMs = 0;
    this.#waitingMs = 0;
  }

  /** Runs a call without asking for room. */
  start(): void {
    this.#count();
    this.#running += 1;
  }

  /** Runs `start` now or when a slot is free; `full` when the queue takes no more. */
  enter(start: () => void): 'running' | 'waiting' | 'full' {
    this.#count();
    if (this.#slots === null || this.#running < this.#slots) {
      this.#running += 1;
      start();
      return 'running';
    }
    if (this.#queueLimit !== null && this.#waiting.size >= this.#queueLimit) return 'full';
    this.#waiting.add(start);
    return 'waiting';
  }

  /** Takes a call out of the line; false if it is not in it (any more). */
  leaveQueue(start: () => void): boolean {
    this.#count();
    return this.#waiting.delete(start);
  }

  release(): void {
    this.#count();
    this.#running -= 1;
    this.#startWaiting();
  }

  configure(slots: number | null, queueLimit: number | null): void {
    this.#count();
    this.#slots = slots;
    this.#queueLimit = queueLimit;
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (const start of this.#waiting) {
      if (this.#slots !== null && this.#running >= this.#slots) return;
      this.#waiting.delete(start);
      this.#running += 1;
      start();
    }
  }

  /** Before every change: what was so since the last one goes into the sums. */
  #count(): void {
    const nowMs = this.#clock();
    const elapsedMs = nowMs - this.#countedAtMs;
    this.#runningMs += this.#running * elapsedMs;
    this.#waitingMs += this.#waiting.size * elapsedMs;
    this.#countedAtMs = nowMs;
  }
}
