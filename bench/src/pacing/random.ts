/** Uniform numbers in [0, 1), the same for the same seed (xorshift32). */
export function createRandom(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 0x9e_37_79_b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** A standard normal number (Box-Muller). */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
