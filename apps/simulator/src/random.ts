/**
 * A number in [0, 1) that depends on nothing but its arguments: the same seed, body and attempt
 * draw the same latency and the same faults in every run, in whatever order calls arrive.
 */
export function drawFor(seed: number, digest: string, attempt: number, purpose: number): number {
  const bodyBits = Number.parseInt(digest.slice(0, 8), 16);
  let state = mix((seed >>> 0) + 0x9e3779b9);
  state = mix(state ^ bodyBits);
  state = mix(state + Math.imul(attempt, 0x85ebca6b));
  state = mix(state + Math.imul(purpose + 1, 0xc2b2ae35));
  return (state >>> 0) / 0x1_0000_0000;
}

/** The 32-bit finaliser of MurmurHash3 (public domain): every input bit moves every output bit. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Which of a call's draws a number is for; two purposes of one call never share a draw. */
export const purposes = { latency: 0, latencyPair: 1, firstToken: 2, firstTokenPair: 3, fault: 16 };
