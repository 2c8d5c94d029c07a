/** Milliseconds since the epoch, with a fraction; never goes backwards within a process. */
export type Clock = () => number;

/** Monotonic, so that a bucket is never refilled twice when the machine's clock is set back. */
export const systemClock: Clock = () => performance.timeOrigin + performance.now();
