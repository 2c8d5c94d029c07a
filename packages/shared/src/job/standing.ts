/**
 * What a job remembers of its lane from attempt to attempt; see docs/adr/0025. One field of its record, five whole numbers
 * with spaces between, so that a job that never failed has none. `begin-attempt.lua` reads the first two.
 */
export interface Standing {
  /** The lane's run of failures in which the job was charged last; 0 for none. */
  run: number;
  /** How often it was charged in that run: given back when the run turns out to be an outage. */
  chargedInRun: number;
  /** When it was last charged for a trial call, unix ms on Redis' clock; 0 for never. */
  trialChargedAtMs: number;
  /** How often the provider refused it (403, 429) while others were let in. */
  refusals: number;
  /** When the first refused call was sent, unix ms on Redis' clock; 0 for never. */
  refusedSentAtMs: number;
}

export const noStanding: Standing = {
  run: 0,
  chargedInRun: 0,
  trialChargedAtMs: 0,
  refusals: 0,
  refusedSentAtMs: 0,
};

export function parseStanding(text: string): Standing {
  if (text === '') return noStanding;
  const [run = 0, chargedInRun = 0, trialChargedAtMs = 0, refusals = 0, refusedSentAtMs = 0] = text
    .split(' ')
    .map(Number);
  return { run, chargedInRun, trialChargedAtMs, refusals, refusedSentAtMs };
}

export function formatStanding(standing: Standing): string {
  const { run, chargedInRun, trialChargedAtMs, refusals, refusedSentAtMs } = standing;
  return [run, chargedInRun, trialChargedAtMs, refusals, refusedSentAtMs].join(' ');
}

/**
 * The attempts of a queued job, less what it was charged in an outage: its next attempt gives that back on its record, and
 * callers see it at once. `openedRuns` as in `LaneHealth`.
 */
export function attemptsThatCount(
  { attempts, standing }: { attempts: number; standing: Standing },
  openedRuns: string,
): number {
  const isOutage = standing.run !== 0 && openedRuns.includes(`,${standing.run},`);
  return isOutage ? Math.max(0, attempts - standing.chargedInRun) : attempts;
}
