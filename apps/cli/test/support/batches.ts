import type { BatchView, LaneView } from '@nightshift/shared/http';

/** A batch as the API shows it: accepted at second 1000, in progress from 1010 on. */
export function batchView(more: Partial<BatchView> = {}): BatchView {
  return {
    id: 'batch_0123456789abcdef0123456789abcdef',
    object: 'batch',
    endpoint: '/v1/chat/completions',
    model: 'gpt-4o',
    errors: null,
    input_file_id: 'file-1',
    completion_window: '24h',
    status: 'in_progress',
    output_file_id: null,
    error_file_id: null,
    created_at: 1000,
    in_progress_at: 1010,
    expires_at: 87_400,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 1000, completed: 0, failed: 0 },
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    metadata: null,
    paused: false,
    run_at: null,
    quiet_hours: null,
    retry_of: null,
    cost_usd: 0,
    waiting_for: null,
    ...more,
  };
}

/** `completed` and `failed` of its thousand requests. */
export function batchAt(completed: number, failed = 0, more: Partial<BatchView> = {}): BatchView {
  return batchView({ request_counts: { total: 1000, completed, failed }, ...more });
}

export function laneView(more: Partial<LaneView> = {}): LaneView {
  return {
    id: 'lane_1',
    object: 'lane',
    provider: 'openai',
    model: 'gpt-4o',
    state: 'open',
    reason: null,
    message: null,
    until: null,
    limits: {
      requests_per_minute: 500,
      tokens_per_minute: 30_000,
      concurrency: null,
      source: 'headers',
    },
    pacing: {
      remaining_requests: 400,
      remaining_tokens: 20_000,
      next_call_at: { interactive: null, bulk: null },
      probing: false,
    },
    in_flight: 12,
    queued: { interactive: 0, bulk: 200 },
    calls_last_minute: 480,
    refused_last_minute: 0,
    last_refused_at: null,
    ...more,
  };
}
