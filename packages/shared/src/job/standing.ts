/**
 * What a job remembers about failures and refusals between attempts; see docs/adr/0025. Stored as one field of its record, five
 * integers separated by spaces, so that a job that never failed stores none. `begin-attempt.lua` reads the first two.
 */
export interface Standing {
  /** The run of the lane's failures in which the job was last charged; 0 for none. */
  run: number;
  /** How often it was charged in that run. Given back if the run opens the breaker. */
  chargedInRun: number;
  /** When it was last charged for a trial, unix ms on Redis' clock; 0 for never. */
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
 * The attempts of a queued job, less its charges in an outage. The record gives these back at the next attempt; callers see the
 * corrected number at once. `openedRuns` as in `LaneHealth`.
 */
export function attemptsThatCount(
  { attempts, standing }: { attempts: number; standing: Standing },
  openedRuns: string,
): number {
  const isOutage = standing.run !== 0 && openedRuns.includes(`,${standing.run},`);
  return isOutage ? Math.max(0, attempts - standing.chargedInRun) : attempts;
}
