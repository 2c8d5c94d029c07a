import { drawFor, purposes } from '../random.ts';
import type { Misbehaviour } from './fault.ts';
import type { Step } from './names.ts';

/** What a draw depends on: see `drawFor`. */
export interface Draws {
  seed: number;
  digest: string;
  /** How many times this very body has been received, this time included. */
  attempt: number;
}

export const WELL_BEHAVED: Misbehaviour = { delayMs: 0, fault: null };

/**
 * Which steps strike this attempt. Delays add up; of the other faults the first that strikes
 * wins. Faults with a number of times take turns: `429-x2-500-once` refuses attempts 1 and 2,
 * fails attempt 3 and lets attempt 4 through.
 */
export function decideSteps(steps: readonly Step[], draws: Draws, salt: number): Misbehaviour {
  let delayMs = 0;
  let taken = 0;
  for (const [index, step] of steps.entries()) {
    const isDelay = step.fault.kind === 'slow';
    const first = isDelay ? 0 : taken;
    const strikes =
      (step.times === null || (draws.attempt > first && draws.attempt <= first + step.times)) &&
      (step.probability >= 1 ||
        drawFor(draws.seed, draws.digest, draws.attempt, purposes.fault + salt + index) <
          step.probability);
    if (!isDelay && step.times !== null) taken += step.times;
    if (!strikes) continue;
    if (step.fault.kind === 'slow') delayMs += step.fault.ms;
    else return { delayMs, fault: step.fault };
  }
  return { delayMs, fault: null };
}
