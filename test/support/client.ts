import { setTimeout as sleep } from 'node:timers/promises';
import type { JobSeen, ProviderCall } from './ledger.ts';

/**
 * Hands in one job as a careful caller does: the same idempotency key again and again until there is an answer.
 * Resolves to the acknowledged id.
 */
export async function submitJob(
  apiUrl: string,
  marker: string,
  model: string,
  signal: AbortSignal,
): Promise<string> {
  const body = JSON.stringify({
    body: { model, messages: [{ role: 'user', content: `Job ${marker}.` }], metadata: { marker } },
    priority: 'bulk',
  });
  for (;;) {
    signal.throwIfAborted();
    try {
      const answer = await fetch(`${apiUrl}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': marker },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
      });
      if (answer.status === 202) return ((await answer.json()) as JobSeen).id;
      const text = await answer.text();
      if (answer.status !== 503)
        throw new Refused(`POST /v1/jobs answered ${answer.status}: ${text}`);
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    // Between two tries of a caller, not a wait for a fact.
    await sleep(50, undefined, { signal });
  }
}

class Refused extends Error {}

/** Reads a job; undefined while the API is away. */
export async function readJob(apiUrl: string, id: string): Promise<JobSeen | undefined> {
  try {
    const answer = await fetch(`${apiUrl}/v1/jobs/${id}`, { signal: AbortSignal.timeout(10_000) });
    if (answer.status >= 500) return undefined;
    if (!answer.ok)
      throw new Error(`GET /v1/jobs/${id} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as JobSeen;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('GET ')) throw error;
    return undefined;
  }
}

/** Every id that the API lists, page by page. */
export async function listAllIds(apiUrl: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ;) {
    const answer = await fetch(`${apiUrl}/v1/jobs?limit=100${after}`);
    const page = (await answer.json()) as {
      data: { id: string }[];
      has_more: boolean;
      last_id: string;
    };
    ids.push(...page.data.map(({ id }) => id));
    if (!page.has_more) return ids;
    after = `&after=${page.last_id}`;
  }
}

/** The provider's own record of its calls, oldest first, from the one behind `since` on. */
export async function providerCalls(simulatorUrl: string, since = 0): Promise<ProviderCall[]> {
  const calls: ProviderCall[] = [];
  for (let after = since; ;) {
    const answer = await fetch(
      `${simulatorUrl.replace(/\/v1$/, '')}/_simulator/calls?after=${after}&limit=10000`,
    );
    const page = (await answer.json()) as {
      data: ProviderCall[];
      last_n: number;
      has_more: boolean;
    };
    calls.push(...page.data);
    const last = page.data.at(-1);
    if (last === undefined) return calls;
    after = last.n;
  }
}

export async function configureProvider(simulatorUrl: string, settings: unknown): Promise<void> {
  const answer = await fetch(`${simulatorUrl.replace(/\/v1$/, '')}/_simulator/config`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(settings),
  });
  if (!answer.ok) throw new Error(`the simulator refused its settings: ${await answer.text()}`);
}

/** Runs `work` over all items, `width` at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
