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
   * Whether the provider's words may be repeated whatever they are about. They may hold text of the request that was
   * refused, so they may not where several tenants share the lane, nor in a log.
   */
  quotes: boolean;
}

/** Why a lane is not called, or null when it may be. */
export function laneWait(lane: Lane, state: LaneState, words: LaneWords): Wait | null {
  const { nowMs } = state;
  const standing = laneStanding(state);
  switch (standing.state) {
    case 'open':
      return null;
    case 'cooling':
      return {
        reason: 'rate_limit',
        message: `${nameOf(lane)}: the provider's rate limit is reached. Calls go on at ${instant(standing.untilMs, nowMs)}.`,
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
        message: `${nameOf(lane)} does not answer: ${failure(standing.message, words)} (${failures(standing.failures)} since ${instant(standing.sinceMs, nowMs)}). Check the provider and the workers' way to it; no attempt is charged${nextTry(standing.untilMs, nowMs)}.`,
        untilMs: standing.untilMs,
      };
  }
}

/** The lane may be called, and its limit is in use by those before; null when nobody waits for it. */
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
    headers: ', says the provider',
    config: ', as configured',
    learned: ', as learnt',
    none: '',
  };
  const limit = limits === '' ? 'the limit' : `the limit of ${limits} per minute${from[source]},`;
  return {
    reason: 'rate_limit',
    message: `${nameOf(lane)}: ${limit} is in use. Calls go on as it allows.`,
    untilMs,
  };
}

function nameOf({ provider, model }: Pick<Lane, 'provider' | 'model'>): string {
  // Without providers in the configuration there is one, and it is called so.
  return `${quote(model)} at ${provider === 'default' ? 'the default provider' : provider}`;
}

type Refused = Extract<LaneStanding, { state: 'paused' }>;

/** `401 Incorrect API key provided (sk-…xyz)`. */
function refusal({ reason, message }: Refused, { quotes }: LaneWords): string {
  // What a provider says of a key or an account is about no request.
  const isOfAccount = reason === 'unauthorized' || reason === 'insufficient_quota';
  return providersWords(message, quotes || isOfAccount);
}

function failure(message: string, { quotes }: LaneWords): string {
  return providersWords(message, quotes);
}

const ANSWERED = /^the provider answered (\d{3})( with an error)?(?:: (.*))?$/is;

/** Our own words about a failure stand; those of an answer only if they may be repeated. */
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
