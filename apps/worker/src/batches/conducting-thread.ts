import { extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Clock } from '@nightshift/shared/clock';
import type { Logger } from '@nightshift/shared/telemetry';
import type { ConductorThreadCommand } from './conductor-thread.ts';
import type { Conductors } from './conductors.ts';
import type { ConductingSettings } from './open-conductors.ts';

/** Until a thread that died is replaced. One that dies again and again must not take the time of the calls. */
const RESTART_MS = { first: 1000, most: 4000 };
/** Half of the main thread's: lines that stream through the thread need none to survive. */
const NEW_SPACE_MB = 8;
/** One that has lived for so long did not die of its start. */
const SOUND_MS = 30_000;

/**
 * Conductors in a thread of their own: what they read, count and write takes no time from the thread that makes the calls. A
 * thread that dies takes nothing with it: the next one goes on from what is committed, as after the death of a process.
 */
export function createConductingThread(
  { variables, configuration, workerId }: ConductingSettings,
  { clock, logger }: { clock: Clock; logger: Logger },
  program = new URL(`./conductor-thread${extname(import.meta.url)}`, import.meta.url),
): Conductors {
  const stopping = new AbortController();
  let thread: Worker | null = null;
  const begun = Promise.withResolvers<void>();
  let running: Promise<void> | undefined;

  const tell = (command: ConductorThreadCommand): void => {
    thread?.postMessage(command);
  };

  /** Resolves when the thread is over, to what it died of, or to null when it has left as it was told to. */
  const run = async (number: number): Promise<string | null> => {
    // Another holder each time, so another epoch: what the last thread sent before it died may arrive after the next has read.
    const workerData: ConductingSettings = {
      variables: { ...variables },
      configuration,
      workerId: `${workerId}-${number}`,
    };
    // V8 reads it when a thread is made, and takes it before any limit given to `Worker`. See docs/adr/0020.
    setFlagsFromString(`--max-semi-space-size=${NEW_SPACE_MB}`);
    const own = new Worker(program, { name: 'conductors', workerData });
    thread = own;
    return new Promise((resolve) => {
      let reason: string | null = null;
      own.once('message', begun.resolve);
      own.on('error', (error: unknown) => {
        reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      own.once('exit', (code) => {
        thread = null;
        // Calls do not wait for conductors that cannot be started.
        begun.resolve();
        if (code === 0 && stopping.signal.aborted) resolve(null);
        else resolve(`${reason ?? 'it ended'}, with code ${code}`);
      });
    });
  };

  const loop = async (): Promise<void> => {
    let waitMs = RESTART_MS.first;
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      const startedAtMs = clock.monotonic();
      const reason = await run(number);
      if (reason === null) return;
      if (clock.monotonic() - startedAtMs >= SOUND_MS) waitMs = RESTART_MS.first;
      logger.error({ reason, restartsInMs: waitMs }, 'batches.thread_died');
      await clock.sleep(waitMs, stopping.signal).catch(() => undefined);
      waitMs = Math.min(2 * waitMs, RESTART_MS.most);
    }
  };

  return {
    start: async () => {
      running ??= loop();
      if (!stopping.signal.aborted) await begun.promise;
    },
    nudge: () => {
      tell('nudge');
    },
    stop: async () => {
      stopping.abort();
      tell('stop');
      await running;
    },
  };
}
