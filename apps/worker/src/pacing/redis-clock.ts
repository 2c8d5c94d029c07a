/**
 * Redis' clock as seen from this process. Each answer bounds the difference from both sides: Redis took its time
 * between the sending and the receipt. The tightest of the last bounds counts, so that one slow answer does no harm.
 */
export interface RedisClock {
  learn(sentMs: number, receivedMs: number, redisMs: number): void;
  /** Redis' time at an instant of the monotonic clock. */
  redisAt(monotonicMs: number): number;
  /** The instant of the monotonic clock at which Redis' clock will show this. */
  monotonicAt(redisMs: number): number;
}

const KEPT = 32;

export function createRedisClock(): RedisClock {
  let bounds: { offset: number; uncertainty: number }[] = [];
  let offset = 0;
  return {
    learn: (sentMs, receivedMs, redisMs) => {
      const middle = (sentMs + receivedMs) / 2;
      // Redis' time is in whole milliseconds, cut off.
      const measured = { offset: redisMs + 0.5 - middle, uncertainty: receivedMs - sentMs };
      const jumped = bounds.some(
        (known) =>
          Math.abs(known.offset - measured.offset) > known.uncertainty + measured.uncertainty + 50,
      );
      // Redis moved to another host, or its clock was set.
      if (jumped) bounds = [];
      bounds.push(measured);
      if (bounds.length > KEPT) bounds.shift();
      offset = bounds.reduce((best, bound) =>
        bound.uncertainty < best.uncertainty ? bound : best,
      ).offset;
    },
    redisAt: (monotonicMs) => monotonicMs + offset,
    monotonicAt: (redisMs) => redisMs - offset,
  };
}
