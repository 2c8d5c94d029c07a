import { jobListSchema, jobSchema, laneListSchema } from '@nightshift/shared/http';
import type { LedgerEntry, LedgerPage } from '@nightshift/simulator';
import type { JobRequestBody } from './kinds.ts';

export type JobView = ReturnType<typeof jobSchema.parse>;
export type LaneView = ReturnType<typeof laneListSchema.parse>['data'][number];

/** The REST calls that the demo makes, as any program would. */
export interface Client {
  submit(request: JobRequestBody, idempotencyKey: string): Promise<JobView>;
  /** Every job of a run. */
  list(runId: string): Promise<JobView[]>;
  lanes(): Promise<LaneView[]>;
  /** The types of a settled job's events, oldest first: `job.queued`, `job.in_progress`, `job.completed` … */
  events(id: string): Promise<string[]>;
}

const CALL_TIMEOUT_MS = 10_000;

/** @param url of the API, without `/v1` */
export function createClient(url: string): Client {
  const call = async (path: string, init: RequestInit = {}): Promise<string> => {
    const what = `${init.method ?? 'GET'} ${path.split('?')[0]}`;
    let response: Response;
    try {
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
      response = await fetch(`${url}${path}`, { signal, ...init });
    } catch (error) {
      const { cause, message } = error as Error;
      throw new Error(`${what}: ${cause instanceof Error ? cause.message : message}`, {
        cause: error,
      });
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`${what} answered ${response.status}: ${text}`);
    return text;
  };
  const json = async (path: string, init?: RequestInit): Promise<unknown> =>
    JSON.parse(await call(path, init));
  return {
    submit: async (request, idempotencyKey) =>
      jobSchema.parse(
        await json('/v1/jobs', {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
          body: JSON.stringify(request),
        }),
      ),
    list: async (runId) => {
      const jobs: JobView[] = [];
      let after = '';
      for (;;) {
        const page = jobListSchema.parse(
          await json(`/v1/jobs?limit=100&metadata[demo]=${runId}${after}`),
        );
        jobs.push(...page.data);
        if (!page.has_more || page.last_id === null) return jobs;
        after = `&after=${page.last_id}`;
      }
    },
    lanes: async () => laneListSchema.parse(await json('/v1/lanes')).data,
    events: async (id) =>
      [...(await call(`/v1/jobs/${id}/events`)).matchAll(/^event: *(\S+)$/gm)].map(
        ([, type = '']) => type,
      ),
  };
}

/** Every call that the simulated provider received, oldest first. @param baseUrl with `/v1` */
export async function readLedger(baseUrl: string): Promise<LedgerEntry[]> {
  const url = new URL('/_simulator/calls?limit=10000', baseUrl);
  const response = await fetch(url, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  return ((await response.json()) as LedgerPage).data;
}
