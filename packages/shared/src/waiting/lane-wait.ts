import type { Priority } from '../job/index.ts';
import {
  budgetWait,
  laneStanding,
  limitsOf,
  type Lane,
  type LaneBudget,
  type LaneStanding,
  type LaneState,
} from '../lane/index.ts';
import { instant, quote, whole, type Wait } from './words.ts';

export interface LaneWords {
  /**
   * Whether every message of the provider may be repeated. It may quote the refused request, so set this to false in logs and
   * where several tenants share the lane.
   */
  quotes: boolean;
}

/** Why a lane is not called; null if it may be called. */
export function laneWait(lane: Lane, state: LaneState, words: LaneWords): Wait | null {
  const { nowMs } = state;
  const standing = laneStanding(state);
  switch (standing.state) {
    case 'open':
      return null;
    case 'cooling':
      return {
        reason: 'rate_limit',
        message: `${nameOf(lane)}: the provider's rate limit is reached. Calls resume at ${instant(standing.untilMs, nowMs)}.`,
        untilMs: standing.untilMs,
      };
    case 'paused':
      return standing.reason === 'operator'
        ? {
            reason: 'paused',
            message: `${nameOf(lane)} is paused by an operator. Resume it: nightshift resume ${lane.id}.`,
            untilMs: null,
          }
        : {
            reason: 'lane_paused',
            message: `${nameOf(lane)}: ${refusal(standing, words)}. ${remedyOf(standing.reason, lane)}${nextTry(standing.untilMs, nowMs)}.`,
            untilMs: standing.untilMs,
          };
    case 'unreachable':
      return {
        reason: 'provider_unreachable',
        message: `${nameOf(lane)} does not answer: ${failure(standing.message, words)} (${failures(standing.failures)} since ${instant(standing.sinceMs, nowMs)}). Check the provider and the workers' connection to it; no attempt is charged${nextTry(standing.untilMs, nowMs)}.`,
        untilMs: standing.untilMs,
      };
  }
}

/** The wait for the limits of a lane that may be called; null if no call has to wait. */
export function limitWait(
  lane: Pick<Lane, 'provider' | 'model'>,
  budget: LaneBudget | null,
  priority: Priority,
  nowMs: number,
): Wait | null {
  const untilMs = budgetWait(budget, priority, nowMs);
  if (untilMs === null) return null;
  const { requestsPerMinute, tokensPerMinute, source } = limitsOf(budget);
  const limits = [
    ...(requestsPerMinute === null ? [] : [`${whole(requestsPerMinute)} requests`]),
    ...(tokensPerMinute === null ? [] : [`${whole(tokensPerMinute)} tokens`]),
  ].join(' and ');
  const from = {
    headers: ' (from the provider)',
    config: ' (configured)',
    learned: ' (learned)',
    none: '',
  };
  const limit = limits === '' ? 'the limit' : `the limit of ${limits} per minute${from[source]}`;
  return {
    reason: 'rate_limit',
    message: `${nameOf(lane)}: ${limit} is used up. Calls continue as it allows.`,
    untilMs,
  };
}

function nameOf({ provider, model }: Pick<Lane, 'provider' | 'model'>): string {
  // Without providers in the configuration there is a single one with this name.
  return `${quote(model)} at ${provider === 'default' ? 'the default provider' : provider}`;
}

type Refused = Extract<LaneStanding, { state: 'paused' }>;

/** `401 Incorrect API key provided (sk-…xyz)`. */
function refusal({ reason, message }: Refused, { quotes }: LaneWords): string {
  // A message about a key or an account quotes no request.
  const isOfAccount = reason === 'unauthorized' || reason === 'insufficient_quota';
  return providersWords(message, quotes || isOfAccount);
}

function failure(message: string, { quotes }: LaneWords): string {
  return providersWords(message, quotes);
}

const ANSWERED = /^the provider answered (\d{3})( with an error)?(?:: (.*))?$/is;

/** Keeps our own message about a failure; repeats the provider's message only if it may be repeated. */
function providersWords(message: string, mayRepeat: boolean): string {
  const answered = ANSWERED.exec(message);
  if (answered === null) return message === '' ? 'no answer' : lower(quote(message));
  const [, status = '', , said = ''] = answered;
  return mayRepeat && said !== '' ? `${status} ${quote(said)}` : `it answered ${status}`;
}

function remedyOf(reason: Refused['reason'], { provider, credential }: Lane): string {
  const variable = provider === 'default' ? 'OPENAI_API_KEY' : credential;
  const key =
    variable === 'default'
      ? `api_key_env of provider ${provider} in NIGHTSHIFT_CONFIG and restart the workers`
      : `${variable} for the workers and restart them`;
  switch (reason) {
    case 'unauthorized':
      return `Set ${key}`;
    case 'forbidden':
      return `Allow this model for the key at the provider, or set ${key}`;
    case 'insufficient_quota':
      return 'Add credit or raise the budget at the provider; a restart is not needed';
    case 'operator':
      return 'Resume it';
  }
}

function nextTry(untilMs: number | null, nowMs: number): string {
  if (untilMs === null) return '';
  return untilMs <= nowMs ? '; next try now' : `; next try ${instant(untilMs, nowMs)}`;
}

function failures(count: number): string {
  return count === 1 ? '1 failed call' : `${whole(count)} failed calls`;
}

function lower(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
