import type { Call } from '../../src/demo/calls.ts';
import type { Errand } from '../../src/demo/errands.ts';
import type { Night } from '../../src/demo/night.ts';
import type { ResultLine } from '../../src/demo/results.ts';
import { reply } from '../../src/demo/sample/requests.ts';
import { sampleLines, type SampleLine } from '../../src/demo/sample/sample.ts';
import { batchView, laneView } from './batches.ts';

/** Three lines that are to be answered and one that is not. */
function someLines(): SampleLine[] {
  const all = sampleLines();
  const wrong = all.filter(({ customId }) => customId === 'hot-0001');
  return [...all.filter(({ expect }) => expect.kind === 'answered').slice(0, 3), ...wrong];
}

/** A call that was answered well, as the provider's ledger has it. */
export function call(key: string, n: number, more: Partial<Call> = {}): Call {
  return {
    n,
    marker: key,
    at_ms: 1_000_000 + 1000 * n,
    ended_at_ms: 1_000_500 + 1000 * n,
    outcome: 'ok',
    response_id: `answer-${key}`,
    ...more,
  };
}

export function answered(key: string): ResultLine {
  return {
    custom_id: key,
    response: {
      status_code: 200,
      body: {
        id: `answer-${key}`,
        choices: [{ message: { content: `for ${key}` } }],
        usage: { prompt_tokens: 10, completion_tokens: 5 },
      },
    },
    error: null,
  };
}

export function refused(key: string, status: number, code: string): ResultLine {
  const error = { code, message: 'But got 3 instead.' };
  return { custom_id: key, response: { status_code: status, body: { error } }, error: null };
}

/** A job beside the batch; cancelled after a second, or else answered. */
function errand(key: string, status: 'completed' | 'cancelled'): Errand {
  const job = {
    ...{ id: `job_${key}`, object: 'job', endpoint: '/v1/chat/completions', model: 'gpt-4o-mini' },
    ...{ status, waiting_for: null, priority: 'interactive', attempts: 1, metadata: {} },
    ...{ created_at: 1, started_at: 1, settled_at: 2, expires_at: null, run_at: null },
    response: { status_code: 200, request_id: null, body: { id: `answer-${key}` } },
    ...{ error: null, usage: null, cost_usd: null, retry_of: null },
  } as Errand['job'];
  const cancelledAtMs = status === 'cancelled' ? 1_001_000 : null;
  const body = reply(1, job.model);
  return { key, body, job, submittedAtMs: 1_000_000, tookMs: 1000, cancelledAtMs };
}

/** A night of four lines in which everything went as it should. */
export function goodNight(): { lines: SampleLine[]; night: Night; ledger: Call[] } {
  const lines = someLines();
  const good = lines.slice(0, 3).map(({ customId }) => customId);
  const usage = {
    ...{ input_tokens: 30, output_tokens: 15, total_tokens: 45 },
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };
  const night: Night = {
    batch: batchView({
      status: 'completed',
      request_counts: { total: 4, completed: 3, failed: 1 },
      usage,
      cost_usd: 0.0123,
    }),
    output: good.map(answered),
    failures: [refused('hot-0001', 400, 'decimal_above_max_value')],
    groups: {
      object: 'list',
      count: 1,
      data: [
        {
          ...{ code: 'http_400', status_code: 400, message: 'But got 3 instead.', count: 1 },
          ...{ first_seen: 1, last_seen: 1, custom_ids: ['hot-0001'] },
        },
      ],
    },
    lanes: [laneView({ model: 'gpt-4o-mini' })],
    errands: [errand('urgent', 'completed'), errand('slow', 'cancelled')],
    takeover: { death: { atMs: 1_050_000 }, requests: 2, tookMs: 1234 },
    outage: { tookMs: 310 },
    durationMs: 2000,
  };
  const ledger = [
    ...good.map((key, n) => call(key, n + 1)),
    call('hot-0001', 4, { outcome: 'error', response_id: null }),
    call('urgent', 5, { at_ms: 1_000_040 }),
    call('slow', 6, { outcome: 'aborted', ended_at_ms: 1_001_020, response_id: null }),
  ];
  return { lines, night, ledger };
}
