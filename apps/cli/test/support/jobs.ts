import { sampleJobs } from '../../src/demo/jobs.ts';
import type { JobView } from '../../src/demo/client.ts';
import type { SampleJob } from '../../src/demo/kinds.ts';
import type { Call } from '../../src/demo/calls.ts';

/** A settled job as the API shows it, made for one of the sample. */
export function settledJob(item: SampleJob, more: Partial<JobView> = {}): JobView {
  return {
    id: `job_${item.key}`,
    object: 'job',
    endpoint: '/v1/chat/completions',
    model: item.request.body.model,
    status: 'completed',
    waiting_for: null,
    priority: item.request.priority,
    attempts: 1,
    created_at: 1,
    started_at: 1,
    settled_at: 2,
    expires_at: null,
    run_at: null,
    response: {
      status_code: 200,
      request_id: 'req_1',
      body: { id: `answer-${item.key}`, choices: [{ message: { content: `for ${item.key}` } }] },
    },
    error: null,
    usage: {
      input_tokens: 10,
      cached_input_tokens: 0,
      output_tokens: 5,
      reasoning_tokens: 0,
      total_tokens: 15,
    },
    cost_usd: 0.001,
    metadata: item.request.metadata,
    retry_of: null,
    ...more,
  };
}

/** A call that was answered well, as the provider's ledger has it. */
export function call(key: string, n: number, more: Partial<Call> = {}): Call {
  return {
    n,
    marker: key,
    at_ms: 1000 * n,
    ended_at_ms: 1000 * n + 500,
    outcome: 'ok',
    client_aborted: false,
    response_id: `answer-${key}`,
    ...more,
  };
}

/** Three ordinary jobs and the one that is meant to be rejected. */
export function someJobs(): SampleJob[] {
  const all = sampleJobs('demo-test');
  const rejected = all.filter(({ request }) => request.body.model === 'sim-400');
  return [...all.filter(({ onPurpose }) => onPurpose === null).slice(0, 3), ...rejected];
}
