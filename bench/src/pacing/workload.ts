import { earliestAdmissions } from './limit-model.ts';
import { createRandom, normal } from './random.ts';
import { limitsIn, type Regime } from './regimes.ts';

export interface BenchJob {
  /** Comes back in the provider's ledger. */
  marker: string;
  body: ChatBody;
  chargedTokens: number;
}

interface ChatBody {
  model: string;
  messages: { role: 'user'; content: string }[];
  max_tokens: number;
  user: string;
}

export const MODEL = 'gpt-4o-mini';
/** Less than this the provider charges for no answer. */
const LEAST_ANSWER_TOKENS = 16;
const ANSWER_SHARE = 0.4;
const FILLER = 'the night is long and the queue is longer still, so on it goes; ';
/** Mean latency of an engine's calls is what its ideal time follows from: exp(sigma² / 2) over the median. */
const MEAN_OVER_MEDIAN = Math.exp(0.5 ** 2 / 2);

/** So many jobs as the ideal caller gets in within `seconds`; the same for the same seed. */
export function createBulk(regime: Regime, seconds: number, seed: number): BenchJob[] {
  const make = jobMaker(regime, createRandom(seed));
  if (regime.slots !== null) {
    const meanMs = Number(/^lognormal:(\d+)/.exec(regime.latency)?.[1]) * MEAN_OVER_MEDIAN;
    const count = Math.round((regime.slots * seconds * 1000) / meanMs);
    return Array.from({ length: count }, (_, at) => make(`bulk-${at}`));
  }
  const jobs: BenchJob[] = [];
  const charges = function* (): Generator<number> {
    for (;;) {
      const job = make(`bulk-${jobs.length}`);
      jobs.push(job);
      yield job.chargedTokens;
    }
  };
  for (const atMs of earliestAdmissions(limitsIn(regime, seconds), charges())) {
    if (atMs > seconds * 1000) break;
  }
  jobs.pop();
  return jobs;
}

export interface InteractiveArrival {
  /** From the provider's first call on. */
  atMs: number;
  job: BenchJob;
}

/** Arrivals at random, from a tenth of the run to nine tenths, so that all of them meet saturating bulk. */
export function createInteractive(
  regime: Regime,
  seconds: number,
  seed: number,
): InteractiveArrival[] {
  const random = createRandom(seed + 1);
  const make = jobMaker(regime, random);
  const { requestsPerMinute, tokensPerMinute } = regime.limits;
  const callsPerMinute = Math.min(
    requestsPerMinute ?? Infinity,
    (tokensPerMinute ?? Infinity) / regime.charge.mean,
  );
  const meanGapMs = 60_000 / (callsPerMinute * regime.interactiveShare);
  const arrivals: InteractiveArrival[] = [];
  const lastMs = seconds * 900;
  for (let atMs = seconds * 100; regime.interactiveShare > 0;) {
    atMs -= Math.log(1 - random()) * meanGapMs;
    if (atMs >= lastMs) break;
    arrivals.push({ atMs, job: make(`interactive-${arrivals.length}`) });
  }
  return arrivals;
}

/** Jobs for an idle system, one after the other. */
export function createIdle(regime: Regime, count: number): BenchJob[] {
  const make = jobMaker(regime, createRandom(3));
  return Array.from({ length: count }, (_, at) => make(`idle-${at}`));
}

function jobMaker(regime: Regime, random: () => number): (marker: string) => BenchJob {
  const { mean, sigma, least, most } = regime.charge;
  return (marker) => {
    const drawn = mean * Math.exp(sigma * normal(random) - sigma ** 2 / 2);
    const charge = Math.round(Math.min(most, Math.max(least, drawn)));
    const empty: ChatBody = {
      model: MODEL,
      messages: [{ role: 'user', content: '' }],
      max_tokens: 10_000,
      user: marker,
    };
    const answerTokens = Math.max(LEAST_ANSWER_TOKENS, Math.round(charge * ANSWER_SHARE));
    const bytes = Math.floor((charge - answerTokens) * regime.bytesPerToken);
    const characters = Math.max(1, bytes - JSON.stringify(empty).length);
    const content = FILLER.repeat(Math.ceil(characters / FILLER.length)).slice(0, characters);
    const body = {
      ...empty,
      messages: [{ role: 'user' as const, content }],
      max_tokens: answerTokens,
    };
    return { marker, body, chargedTokens: chargeOf(body, regime.bytesPerToken) };
  };
}

/** What the simulator takes for a body, as its documentation says. */
export function chargeOf(body: ChatBody, bytesPerToken: number): number {
  const inputTokens = Math.ceil(Buffer.byteLength(JSON.stringify(body)) / bytesPerToken);
  return inputTokens + Math.max(body.max_tokens, LEAST_ANSWER_TOKENS);
}
