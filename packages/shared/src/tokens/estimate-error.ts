import type { TokenEstimate } from './estimate.ts';

/**
 * What a lane has learnt of how its provider's counts differ from our estimates. Numbers only, to be stored as it is.
 * The sums fade: what came HALF_LIFE calls ago counts half.
 */
export interface EstimateError {
  /** Calls learnt from. */
  count: number;
  estimatedInputSum: number;
  actualInputSum: number;
  /** Sum of |actual − corrected estimate|: over `actualInputSum` it is the error that is left. */
  inputErrorSum: number;
  /** Answers whose request set no limit, and their tokens. */
  unlimitedChoicesSum: number;
  unlimitedOutputSum: number;
}

/** One call that came back, with the usage that the provider told. */
export interface ObservedCall {
  estimatedInput: number;
  actualInput: number;
  /** Null where the request limited its output, or none was told: such an answer says nothing of the next without. */
  actualOutput: number | null;
  choices: number;
}

const HALF_LIFE = 50;
const FADE = 0.5 ** (1 / HALF_LIFE);
/** Beyond this an estimate is not low or high but of something else, and one call must not park a lane. */
const LOWEST_RATIO = 0.25;
const HIGHEST_RATIO = 4;
/** Expected of an answer without a limit before any has come: a few paragraphs. */
export const OUTPUT_BEFORE_ANY = 500;

export function createEstimateError(): EstimateError {
  return {
    count: 0,
    estimatedInputSum: 0,
    actualInputSum: 0,
    inputErrorSum: 0,
    unlimitedChoicesSum: 0,
    unlimitedOutputSum: 0,
  };
}

/** The state after one more call. A call without a usable count changes nothing. */
export function learn(state: EstimateError, call: ObservedCall): EstimateError {
  const { estimatedInput, actualInput, actualOutput, choices } = call;
  if (!isCount(estimatedInput) || !isCount(actualInput) || estimatedInput === 0) return state;
  const corrected = estimatedInput * inputRatio(state);
  const bounded = clamp(actualInput, estimatedInput * LOWEST_RATIO, estimatedInput * HIGHEST_RATIO);
  const next: EstimateError = {
    ...state,
    count: state.count + 1,
    estimatedInputSum: state.estimatedInputSum * FADE + estimatedInput,
    actualInputSum: state.actualInputSum * FADE + bounded,
    inputErrorSum: state.inputErrorSum * FADE + Math.abs(bounded - corrected),
  };
  if (actualOutput === null || !isCount(actualOutput)) return next;
  if (!isCount(choices) || choices < 1) return next;
  return {
    ...next,
    unlimitedChoicesSum: state.unlimitedChoicesSum * FADE + choices,
    unlimitedOutputSum: state.unlimitedOutputSum * FADE + actualOutput,
  };
}

/** The estimate as this lane's calls have turned out: what to reserve. Output up to the request's own limit, if any. */
export function correct(
  state: EstimateError,
  estimate: Pick<TokenEstimate, 'inputTokens' | 'maxOutputTokens' | 'choices'>,
): { inputTokens: number; outputTokens: number } {
  const expected = estimate.choices * outputPerChoice(state);
  return {
    inputTokens: whole(estimate.inputTokens * inputRatio(state)),
    outputTokens: estimate.maxOutputTokens ?? whole(expected),
  };
}

/** Actual over estimated input, 1 before anything is learnt. */
export function inputRatio(state: EstimateError): number {
  if (state.estimatedInputSum === 0) return 1;
  return clamp(state.actualInputSum / state.estimatedInputSum, LOWEST_RATIO, HIGHEST_RATIO);
}

/** How far corrected estimates are off on average, as a share of the actual input; null before anything is learnt. */
export function inputError(state: EstimateError): number | null {
  return state.actualInputSum === 0 ? null : state.inputErrorSum / state.actualInputSum;
}

function outputPerChoice(state: EstimateError): number {
  if (state.unlimitedChoicesSum === 0) return OUTPUT_BEFORE_ANY;
  return state.unlimitedOutputSum / state.unlimitedChoicesSum;
}

function isCount(value: number): boolean {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function whole(value: number): number {
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);
}
