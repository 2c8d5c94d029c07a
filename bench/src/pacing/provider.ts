import { startSimulator } from '@nightshift/local';
import { request } from 'undici';
import type { Regime } from './regimes.ts';

/** A call that the limits let in; times are milliseconds since the epoch. */
export interface ChargedCall {
  marker: string;
  atMs: number;
  /** Out of the engine's queue. */
  startedMs: number;
  endedMs: number;
  chargedTokens: number;
}

export interface ProviderStats {
  at_ms: number;
  calls: number;
  in_flight: number;
  max_in_flight: number;
  rate_limited: number;
  first_call_at_ms: number | null;
  last_call_at_ms: number | null;
  engines: Record<string, { waiting_ms: number }>;
}

/** The simulated provider of one run, a process of its own. */
export interface Provider {
  /** With `/v1`. */
  readonly url: string;
  readonly pid: number;
  stats(): Promise<ProviderStats>;
  /** Every call that was let in and is over, in the order of arrival. */
  charged(): Promise<ChargedCall[]>;
  /** Calls let in during each second, from the first call to the last. */
  admittedBySecond(): Promise<number[]>;
  /** Limits times that factor from now on. */
  scaleLimits(factor: number): Promise<void>;
  /** What its clock is ahead of this process's epoch clock. */
  clockOffsetMs(): Promise<number>;
  stop(): Promise<void>;
}

/** A fleet that hammers makes a call every millisecond or so; those let in must still be in the ledger at the end. */
const LEDGER_SIZE = 3_000_000;
const PAGE = 10_000;

interface LedgerPage {
  data: {
    n: number;
    at_ms: number;
    marker: string | null;
    started_at_ms: number | null;
    ended_at_ms: number | null;
    charged_tokens: number;
  }[];
  has_more: boolean;
  last_n: number;
}

export async function startProvider(regime: Regime, seed: number): Promise<Provider> {
  const { child, url } = await startSimulator({
    args: ['--seed', String(seed), '--ledger-size', String(LEDGER_SIZE)],
  });
  const get = async <Answer>(path: string): Promise<Answer> => {
    const answer = await request(new URL(path, url));
    return (await answer.body.json()) as Answer;
  };
  const configure = async (settings: object): Promise<void> => {
    const answer = await request(new URL('/_simulator/config', url), {
      method: 'POST',
      body: JSON.stringify(settings),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`the simulator does not take this: ${text}`);
  };
  const { limits } = regime;
  const limitsTimes = (factor: number): object => ({
    '*': {
      requests_per_minute: times(limits.requestsPerMinute, factor),
      tokens_per_minute: times(limits.tokensPerMinute, factor),
      slots: regime.slots,
    },
  });
  await configure({
    limits: limitsTimes(1),
    request_window_ms: limits.requestWindowMs,
    token_window_ms: limits.tokenWindowMs,
    start_level: limits.startLevel,
    outside_share: limits.outsideShare,
    bytes_per_token: regime.bytesPerToken,
    headers: regime.headers,
    latency: regime.latency,
  });
  const epochMs = (): number => performance.timeOrigin + performance.now();
  return {
    url,
    pid: child.pid,
    stats: async () => get('/_simulator/stats'),
    charged: async () => {
      const calls: ChargedCall[] = [];
      // A call whose caller left was charged as well, and so was one that is not known to have ended well.
      for (const outcome of ['ok', 'aborted', 'broken', 'error']) {
        for (let after = 0, more = true; more;) {
          const page = await get<LedgerPage>(
            `/_simulator/calls?outcome=${outcome}&limit=${PAGE}&after=${after}`,
          );
          calls.push(...page.data.filter((call) => call.charged_tokens > 0).map(chargedCall));
          after = page.last_n;
          more = page.has_more;
        }
      }
      return calls.toSorted((left, right) => left.atMs - right.atMs);
    },
    admittedBySecond: async () => {
      const { data } = await get<{ data: { at_s: number; admitted: number }[] }>(
        '/_simulator/timeline',
      );
      const firstS = data[0]?.at_s ?? 0;
      const seconds = Array.from({ length: (data.at(-1)?.at_s ?? -1) - firstS + 1 }, () => 0);
      for (const { at_s: atS, admitted } of data) seconds[atS - firstS] = admitted;
      return seconds;
    },
    scaleLimits: async (factor) => configure({ limits: limitsTimes(factor) }),
    clockOffsetMs: async () => {
      let best = { tookMs: Infinity, offsetMs: 0 };
      for (let look = 0; look < 10; look += 1) {
        const sentMs = epochMs();
        const { at_ms: theirsMs } = await get<ProviderStats>('/_simulator/stats');
        const tookMs = epochMs() - sentMs;
        // `at_ms` is cut to whole milliseconds.
        if (tookMs < best.tookMs)
          best = { tookMs, offsetMs: theirsMs + 0.5 - (sentMs + tookMs / 2) };
      }
      return best.offsetMs;
    },
    stop: async () => void (await child.stop()),
  };
}

function times(limit: number | null, factor: number): number | null {
  return limit === null ? null : limit * factor;
}

function chargedCall(entry: LedgerPage['data'][number]): ChargedCall {
  return {
    marker: entry.marker ?? '',
    atMs: entry.at_ms,
    startedMs: entry.started_at_ms ?? entry.at_ms,
    endedMs: entry.ended_at_ms ?? entry.at_ms,
    chargedTokens: entry.charged_tokens,
  };
}
