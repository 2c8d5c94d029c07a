import type { LimitModel } from './limit-model.ts';

/** What the provider allows in a run, and what it is asked for. */
export interface Regime {
  name: string;
  about: string;
  limits: Omit<LimitModel, 'changes'>;
  /** Limits times `factor` from that share of the run on. */
  changes: readonly { atShare: number; factor: number }[];
  headers: 'openai' | 'none';
  /** A self-hosted engine's slots, or null for a provider with limits. */
  slots: number | null;
  bytesPerToken: number;
  /** In the simulator's words. */
  latency: string;
  /** Tokens that a call is charged: log-normal around the mean, held to the range. */
  charge: { mean: number; sigma: number; least: number; most: number };
  /** Calls in flight in one worker process, at most. */
  concurrency: number;
  /** Interactive jobs beside the bulk, as a share of the calls that the limits allow. */
  interactiveShare: number;
  /** Too much for the machine to share with another run. */
  heavy: boolean;
  /** Our bars; 429s as a share of calls. */
  refusedBar: number | null;
}

/** Sigma 0.5: the mean is 2.27 s, one call in a hundred takes 6.4 s. */
const TWO_SECONDS = 'lognormal:2000,0.5';

const large = { mean: 600, sigma: 0.4, least: 250, most: 1200 };
/** As small as a call gets: 500 of them are charged 23,000 tokens. */
const small = { mean: 46, sigma: 0, least: 46, most: 46 };

const a: Regime = {
  name: 'a',
  about: '500 RPM, 30k TPM, calls of 600 tokens: tokens bind',
  limits: {
    requestsPerMinute: 500,
    tokensPerMinute: 30_000,
    requestWindowMs: 60_000,
    tokenWindowMs: 60_000,
    startLevel: 1,
    outsideShare: 0,
  },
  changes: [],
  headers: 'openai',
  slots: null,
  bytesPerToken: 4,
  latency: TWO_SECONDS,
  charge: large,
  concurrency: 64,
  interactiveShare: 0,
  heavy: false,
  refusedBar: 0.002,
};

const aRequests: Regime = {
  ...a,
  name: 'a-requests',
  about: '500 RPM, 30k TPM, calls of 46 tokens: requests bind',
  charge: small,
};

const b: Regime = {
  ...a,
  name: 'b',
  about: '10k RPM, 2M TPM, calls of 195 tokens: requests bind, tokens nearly',
  limits: { ...a.limits, requestsPerMinute: 10_000, tokensPerMinute: 2_000_000 },
  charge: { mean: 195, sigma: 0.5, least: 60, most: 1000 },
  // 167 calls a second of 2.27 s are 378 in flight; the rest is for using up a full bucket.
  concurrency: 256,
  heavy: true,
};

const outside = (base: Regime, share: number): Regime => ({
  ...base,
  name: `${base.name}-outside-${share * 100}`,
  about: `as ${base.name}, ${share * 100} % of the refill eaten by others`,
  limits: { ...base.limits, outsideShare: share },
  refusedBar: 0.01,
});

const halved = (base: Regime): Regime => ({
  ...base,
  name: `${base.name}-halved`,
  about: `as ${base.name}, the limits halved for the second third of the run`,
  changes: [
    { atShare: 1 / 3, factor: 0.5 },
    { atShare: 2 / 3, factor: 1 },
  ],
});

/** Tokens stay per minute, as where this is known from; so it is requests that have to bind. */
const windowed = (base: Regime, name: string, seconds: number): Regime => ({
  ...base,
  name: `${name}-window-${seconds}s`,
  about: `as ${base.name}, requests counted in windows of ${seconds} s`,
  limits: { ...base.limits, requestWindowMs: seconds * 1000 },
});

const empty = (base: Regime): Regime => ({
  ...base,
  name: `${base.name}-empty`,
  about: `as ${base.name}, the buckets empty at the start`,
  limits: { ...base.limits, startLevel: 0 },
});

const dense = (base: Regime): Regime => ({
  ...base,
  name: `${base.name}-dense`,
  about: `as ${base.name}-outside-20, and a token is 3.6 bytes: bytes / 4 is 10 % low`,
  limits: { ...base.limits, outsideShare: 0.2 },
  bytesPerToken: 3.6,
  refusedBar: 0.01,
});

const interactive = (base: Regime, name: string): Regime => ({
  ...base,
  name: `interactive-${name}`,
  about: `as ${base.name}, with 5 % interactive jobs beside it`,
  interactiveShare: 0.05,
});

const engine: Regime = {
  ...a,
  name: 'engine-64',
  about: 'no limits and no headers, an engine of 64 slots that queues without end',
  limits: { ...a.limits, requestsPerMinute: null, tokensPerMinute: null },
  headers: 'none',
  slots: 64,
  latency: 'lognormal:1000,0.5',
  charge: { mean: 195, sigma: 0.5, least: 60, most: 1000 },
  refusedBar: null,
};

const all: readonly Regime[] = [
  a,
  aRequests,
  outside(a, 0.2),
  outside(a, 0.4),
  dense(a),
  halved(a),
  windowed(aRequests, 'a', 1),
  windowed(aRequests, 'a', 10),
  empty(a),
  interactive(aRequests, 'a'),
  engine,
  b,
  outside(b, 0.2),
  outside(b, 0.4),
  dense(b),
  halved(b),
  windowed(b, 'b', 1),
  windowed(b, 'b', 10),
  empty(b),
  interactive(b, 'b'),
];

export const regimes: ReadonlyMap<string, Regime> = new Map(
  all.map((regime) => [regime.name, regime]),
);

/** Measured when nothing is asked for. */
export const usualRegimes: readonly string[] = [
  'a',
  'a-requests',
  'a-outside-20',
  'a-window-1s',
  'interactive-a',
  'engine-64',
  'b',
];

/** The limits in a run of that length. */
export function limitsIn({ limits, changes }: Regime, seconds: number): LimitModel {
  return {
    ...limits,
    changes: changes.map(({ atShare, factor }) => ({ atMs: atShare * seconds * 1000, factor })),
  };
}
