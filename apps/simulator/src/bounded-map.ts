/**
 * A map that forgets its oldest entries beyond `limit`: names and digests come from callers, so
 * nothing else bounds how many there are over a night. Two generations of half the limit each:
 * deleting single entries from the front of a Map gets slower with every one.
 */
export class BoundedMap<Value> {
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  readonly #half: number;

  constructor(limit: number) {
    this.#half = Math.max(1, Math.ceil(limit / 2));
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined || this.#old.size === 0) return young;
    const old = this.#old.get(key);
    // What is in use is young again, and so outlives what is not.
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    this.#young.set(key, value);
    this.#old.delete(key);
    if (this.#young.size <= this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  *entries(): Generator<[string, Value]> {
    yield* this.#old;
    yield* this.#young;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
