import { setTimeout as sleep } from 'node:timers/promises';

/** Something that can end by itself and be started again. */
export interface Restartable {
  name: string;
  /** Resolves when it has ended, with how: "code 1", "SIGKILL". */
  untilEnded(): Promise<string>;
  /** Starts it once more; resolves when it is ready. */
  startAgain(): Promise<void>;
}

export interface SuperviseOptions {
  /** Ends the watch. What runs then keeps running. */
  signal: AbortSignal;
  say: (line: string) => void;
  /** For tests. Milliseconds, rising. */
  now?: () => number;
  pause?: (ms: number) => Promise<void>;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** What ran for this long is healthy: its next end counts as the first. */
const HEALTHY_AFTER_MS = 60_000;

/** Starts something again whenever it ends, after a pause that doubles from 0.5 to 30 s. Resolves at the signal. */
export async function supervise(
  part: Restartable,
  { signal, say, now = () => performance.now(), pause }: SuperviseOptions,
): Promise<void> {
  const rest = pause ?? (async (ms: number) => await sleep(ms, undefined, { signal }));
  const aborted = new Promise<'stopped'>((resolve) => {
    if (signal.aborted) resolve('stopped');
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  let pauseMs = FIRST_PAUSE_MS;
  let startedAtMs = now();
  for (;;) {
    const end = await Promise.race([part.untilEnded().then((how) => ({ how })), aborted]);
    if (end === 'stopped' || signal.aborted) return;
    if (now() - startedAtMs >= HEALTHY_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
    let why = `ended (${end.how})`;
    for (;;) {
      say(`${part.name} ${why}; starting it again in ${pauseMs / 1000} s`);
      await rest(pauseMs).catch(() => {});
      if (signal.aborted) return;
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      try {
        await part.startAgain();
        break;
      } catch (error) {
        // A start that the end of the stack cut short is no news.
        if (signal.aborted) return;
        why = `did not start: ${(error as Error).message}`;
      }
    }
    say(`${part.name} runs again`);
    startedAtMs = now();
  }
}
