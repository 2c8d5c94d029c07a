import { eventually } from '@nightshift/local';
import { inParallel, providerCalls } from '../../support/client.ts';
import { isSettled, Ledger, repeats, type JobSeen } from '../../support/ledger.ts';
import type { ComposeStack } from './compose-stack.ts';

/** The documented default of the compose file. */
const LOCAL_KEY = 'nightshift-local-key';

/** Somebody outside of the containers, who remembers what was promised. */
export interface Caller {
  submit(count: number): Promise<void>;
  /** All jobs of `submit`, as they are now. */
  look(): Promise<JobSeen[]>;
  /** Waits until all jobs are completed, judges them against the provider's record, and resolves to them. */
  completed(timeoutMs: number): Promise<JobSeen[]>;
  /** Calls that the provider got again, with how long after `sinceMs` (a `Date.now()`). */
  repeatsSince(sinceMs: number): Promise<number[]>;
}

export async function call(
  stack: ComposeStack,
  method: string,
  path: string,
  body?: unknown,
  key: string | null = LOCAL_KEY,
): Promise<Response> {
  return await fetch(`${stack.apiUrl}${path}`, {
    method,
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(70_000),
  });
}

export function createCaller(stack: ComposeStack, name: string, model: string): Caller {
  const ledger = new Ledger();
  const ours = async () =>
    (await providerCalls(stack.simulatorUrl)).filter(({ marker }) =>
      marker?.startsWith(`${name}-`),
    );
  const read = async (id: string): Promise<JobSeen> =>
    (await (await call(stack, 'GET', `/v1/jobs/${id}`)).json()) as JobSeen;
  return {
    async submit(count) {
      const markers = Array.from({ length: count }, (_, n) => `${name}-${n}`);
      await inParallel(markers, 16, async (marker) => {
        const answer = await call(stack, 'POST', '/v1/jobs', {
          body: { model, messages: [{ role: 'user', content: marker }], metadata: { marker } },
        });
        const text = await answer.text();
        if (answer.status !== 202) throw new Error(`POST /v1/jobs: ${answer.status} ${text}`);
        ledger.acknowledge(marker, (JSON.parse(text) as JobSeen).id);
      });
    },
    look: async () => await Promise.all([...ledger.acknowledged.values()].map(read)),
    async completed(timeoutMs) {
      const jobs: JobSeen[] = [];
      await inParallel([...ledger.acknowledged], 8, async ([marker, id]) => {
        const job = await eventually(
          async () => {
            const seen = await read(id);
            return isSettled(seen) ? seen : undefined;
          },
          { timeoutMs, intervalMs: 200, describe: `${id} to settle` },
        );
        ledger.see(marker, job);
        jobs.push(job);
      });
      ledger.judge(await ours());
      const failed = jobs.filter(({ status }) => status !== 'completed').map(({ id }) => id);
      const wrong = [...ledger.violations, ...failed.map((id) => `${id} is not completed`)];
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
      return jobs;
    },
    repeatsSince: async (sinceMs) =>
      repeats(await ours()).map(({ again }) => again.at_ms - sinceMs),
  };
}
