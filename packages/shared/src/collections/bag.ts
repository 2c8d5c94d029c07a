/** Where a thing stands in its bag: what it is taken out by. */
export interface Place<T> {
  readonly value: T;
  /** Moves when others leave; -1 once the thing is out. */
  index: number;
}

/**
 * Things that come and go by the thousand a second, in no order.
 *
 * A Map or a Set must not hold them. V8 cleans one of these by moving what is left into a new table, and the old table
 * keeps a pointer to the new one. Once a table has grown old, minor collections take the whole chain behind it for alive,
 * with everything that ever stood in it, and copy it, until the next major collection. An array has one table
 * (docs/adr/0024).
 */
export class Bag<T> implements Iterable<T> {
  readonly #places: Place<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  add(value: T): Place<T> {
    const place = { value, index: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** False when it was out already. */
  delete(place: Place<T>): boolean {
    const { index } = place;
    if (index === -1) return false;
    const last = this.#places.pop();
    if (last !== undefined && last !== place) {
      this.#places[index] = last;
      last.index = index;
    }
    place.index = -1;
    return true;
  }

  /** All that are in now; they may be taken out on the way. */
  *[Symbol.iterator](): Generator<T> {
    for (const { value } of [...this.#places]) yield value;
  }
}
