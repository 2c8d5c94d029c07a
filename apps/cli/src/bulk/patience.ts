import type { Clock } from '@nightshift/shared/clock';
import { duration } from './format.ts';
import { CommandError } from './exit-codes.ts';
import { troubleOf, type Trouble } from './trouble.ts';

export interface Patience {
  /** Calls until there is an answer, however long the API is away; once it answers no, rejects with what it says. */
  with<Value>(call: () => Promise<Value>): Promise<Value>;
}

export interface PatienceOptions {
  url: string;
  clock: Clock;
  signal: AbortSignal;
  say: (line: string) => void;
}

/** Before the first answer a wrong address is likelier than a restart. */
const FIRST_CONTACT_MS = 3000;
const PAUSE = { leastMs: 250, mostMs: 5000 } as const;
/** However long a server says: who watches would take a longer silence for the end. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** What every call of a command goes through. Says when the API is away, and when it is back. */
export function createPatience({ url, clock, signal, say }: PatienceOptions): Patience {
  const startedAtMs = clock.monotonic();
  let wasThere = false;
  let told: string | null = null;

  const tell = (trouble: Exclude<Trouble, { kind: 'refused' }>, pauseMs: number): void => {
    const why = `${trouble.kind === 'busy' ? `${trouble.status}, ` : ''}${trouble.reason}`;
    if (told === why) return;
    told = why;
    say(
      `${url} does not answer (${why}); trying again, next in ${duration(Math.max(1000, pauseMs))}`,
    );
  };

  return {
    with: async (call) => {
      for (let tries = 0; ; tries += 1) {
        signal.throwIfAborted();
        try {
          const value = await call();
          wasThere = true;
          if (told !== null) say(`${url} answers again`);
          told = null;
          return value;
        } catch (error) {
          signal.throwIfAborted();
          const trouble = troubleOf(error);
          if (trouble === null) throw error;
          if (trouble.kind === 'refused')
            throw new CommandError(refusal(trouble), { cause: error });
          wasThere ||= trouble.kind === 'busy';
          if (!wasThere && clock.monotonic() - startedAtMs > FIRST_CONTACT_MS) {
            throw new CommandError(
              `there is no Nightshift at ${url} (${trouble.reason}): start one with npm start, or say where it is with --url or NIGHTSHIFT_URL`,
              { cause: error },
            );
          }
          const pauseMs = pauseOf(trouble, tries);
          if (wasThere) tell(trouble, pauseMs);
          await clock.sleep(pauseMs, signal);
        }
      }
    },
  };
}

function pauseOf(trouble: Exclude<Trouble, { kind: 'refused' }>, tries: number): number {
  const asked = trouble.kind === 'busy' ? trouble.retryAfterMs : null;
  if (asked !== null) return Math.min(Math.max(asked, PAUSE.leastMs), LONGEST_RETRY_AFTER_MS);
  return Math.min(PAUSE.mostMs, PAUSE.leastMs * 2 ** tries);
}

function refusal({ status, reason, param }: Extract<Trouble, { kind: 'refused' }>): string {
  if (status === 401) return `${reason} The key is taken from NIGHTSHIFT_API_KEY.`;
  const names = param === null || reason.includes(param);
  return names ? reason : `${param}: ${reason}`;
}
