/**
 * The slots of a self-hosted engine: so many calls run, the others wait in line, first come first
 * served. Without a number of slots everything runs.
 */
export class Slots {
  #slots: number | null;
  #queueLimit: number | null;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(slots: number | null, queueLimit: number | null) {
    this.#slots = slots;
    this.#queueLimit = queueLimit;
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

  /** Runs a call without asking for room. */
  start(): void {
    this.#running += 1;
  }

  /** Runs `start` now or when a slot is free; `full` when the queue takes no more. */
  enter(start: () => void): 'running' | 'waiting' | 'full' {
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
    return this.#waiting.delete(start);
  }

  release(): void {
    this.#running -= 1;
    this.#startWaiting();
  }

  configure(slots: number | null, queueLimit: number | null): void {
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
}
