import type { BatchProgress } from './progress.ts';

/** Where a batch stands, as the object of one JSON line: field names and unix seconds as on the wire. */
export function progressRecord(progress: BatchProgress): Record<string, unknown> {
  const { total, done } = progress;
  return {
    object: 'batch.progress',
    at: seconds(progress.atMs),
    id: progress.id,
    status: progress.status,
    paused: progress.paused,
    request_counts: { total, completed: progress.completed, failed: progress.failed },
    percent: total === 0 ? null : Math.floor((done / total) * 1000) / 10,
    per_second: rounded(progress.perSecond, 3),
    usage: {
      input_tokens: progress.inputTokens,
      output_tokens: progress.outputTokens,
      total_tokens: progress.inputTokens + progress.outputTokens,
    },
    cost_usd: progress.costUsd,
    elapsed_seconds: Math.round(progress.elapsedMs / 1000),
    estimated_end_at: seconds(progress.estimatedEndMs),
    expires_at: seconds(progress.expiresAtMs),
    waiting_for: progress.waitingFor,
    limits: progress.limits.map((limit) => ({
      model: limit.model,
      state: limit.state,
      reason: limit.reason,
      until: seconds(limit.untilMs),
      requests_per_minute: limit.requestsPerMinute,
      tokens_per_minute: limit.tokensPerMinute,
      concurrency: limit.concurrency,
      source: limit.source,
      in_flight: limit.inFlight,
      reached: limit.isReached,
    })),
  };
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms / 1000);
}

function rounded(value: number | null, digits: number): number | null {
  return value === null ? null : Number(value.toFixed(digits));
}
