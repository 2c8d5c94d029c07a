import { Agent, request } from 'undici';
import type { AnswerHeaders } from '../provider/index.ts';

/** How long an engine's queue is, in its own words; null while it does not tell. */
export interface EngineQueue {
  /** Whether it has ever told. */
  readonly isKnown: boolean;
  /** An answer of the provider came: it may show that it is an engine. */
  notice(headers: AnswerHeaders): void;
  /** The newest number, and the next is fetched in the background if it is time. */
  look(nowMs: number): number | null;
  close(): Promise<void>;
}

const EVERY_MS = 500;
/** Most providers have no such page: they are asked again this seldom. */
const ABSENT_EVERY_MS = 300_000;
const FRESH_MS = 3000;
const TIMEOUT_MS = 2000;
const MOST_BYTES = 4_000_000;

/** Says nothing: for providers that are no engines of one's own. */
export const noEngineQueue: EngineQueue = {
  isKnown: false,
  notice: () => undefined,
  look: () => null,
  close: async () => undefined,
};

/**
 * Reads `vllm:num_requests_waiting` of one model from the engine's Prometheus page. Unless the page was configured, only
 * after answers of vLLM's web server have come: nobody else is asked for a page that he does not have.
 */
export function createEngineQueue(
  url: string,
  model: string,
  { isConfigured }: { isConfigured: boolean },
): EngineQueue {
  let isEngine = isConfigured;
  const dispatcher = new Agent({ connect: { timeout: TIMEOUT_MS } });
  let known: { waiting: number; atMs: number } | null = null;
  let nextMs = -Infinity;
  let isBusy = false;

  const fetchOnce = async (nowMs: number): Promise<void> => {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await request(url, { dispatcher, signal });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        throw new Error(`the page answered ${answer.statusCode}`);
      }
      const waiting = waitingOf(await limited(answer.body), model);
      if (waiting === null) throw new Error('the page does not tell');
      known = { waiting, atMs: nowMs };
    } catch {
      // One that told before is starting anew, or busy.
      if (known === null) nextMs = nowMs + ABSENT_EVERY_MS;
    }
  };

  return {
    get isKnown() {
      return known !== null;
    },
    notice: (headers) => {
      isEngine ||= headers.get('server') === 'uvicorn';
    },
    look: (nowMs) => {
      if (isEngine && !isBusy && nowMs >= nextMs) {
        isBusy = true;
        nextMs = nowMs + EVERY_MS;
        void fetchOnce(nowMs).finally(() => {
          isBusy = false;
        });
      }
      return known !== null && nowMs - known.atMs <= FRESH_MS ? known.waiting : null;
    },
    close: async () => dispatcher.destroy(),
  };
}

async function limited(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error('the metrics page is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The sum over the engines of this model; over all when none has its name, since an engine may serve it by another. */
export function waitingOf(page: string, model: string): number | null {
  let own: number | null = null;
  let all: number | null = null;
  for (const line of page.split('\n')) {
    const match = /^vllm:num_requests_waiting(?:\{(.*)\})?\s+([\d.eE+]+)/.exec(line);
    const value = Number(match?.[2]);
    if (match === null || !Number.isFinite(value)) continue;
    all = (all ?? 0) + value;
    if (`,${match[1] ?? ''}`.includes(`,model_name=${JSON.stringify(model)}`))
      own = (own ?? 0) + value;
  }
  return own ?? all;
}
