import type {
  Batch,
  BatchInputError,
  BatchStatus,
  QuietHours,
  ResultSegment,
} from '../batch/index.ts';
import type { Endpoint } from '../job/index.ts';

/** A stored record as a batch; null when there is none. Our own scripts wrote it. */
export function parseBatch(record: Readonly<Record<string, string>>): Batch | null {
  const text = (field: string): string | null => record[field] || null;
  const number = (field: string): number => Number(record[field] ?? 0);
  const instant = (field: string): number | null => (record[field] ? Number(record[field]) : null);
  const json = <T>(field: string, otherwise: T): T =>
    record[field] ? (JSON.parse(record[field]) as T) : otherwise;
  if (!record['id']) return null;
  return {
    id: record['id'],
    tenant: record['tenant'] ?? '',
    endpoint: record['endpoint'] as Endpoint,
    model: text('model'),
    status: record['status'] as BatchStatus,
    inputFileId: record['input_file'] ?? '',
    completionWindow: record['completion_window'] ?? '',
    outputFileId: text('output_file_id'),
    errorFileId: text('error_file_id'),
    errors: json<BatchInputError[] | null>('errors', null),
    errorCount: number('error_count'),
    createdAtMs: number('created_at'),
    inProgressAtMs: instant('in_progress_at'),
    expiresAtMs: number('expires_at'),
    finalizingAtMs: instant('finalizing_at'),
    completedAtMs: instant('completed_at'),
    failedAtMs: instant('failed_at'),
    expiredAtMs: instant('expired_at'),
    cancellingAtMs: instant('cancelling_at'),
    cancelledAtMs: instant('cancelled_at'),
    counts: { total: number('total'), completed: number('completed'), failed: number('failed') },
    usage: {
      inputTokens: number('input_tokens'),
      cachedInputTokens: number('cached_input_tokens'),
      outputTokens: number('output_tokens'),
      reasoningTokens: number('reasoning_tokens'),
      totalTokens: number('total_tokens'),
    },
    costUsd: number('unpriced') > 0 ? null : number('cost_nanodollars') / 1e9,
    metadata: json<Record<string, string> | null>('metadata', null),
    paused: record['paused'] === '1',
    runAtMs: instant('run_at'),
    quietHours: json<QuietHours | null>('quiet_hours', null),
    retryOf: text('retry_of'),
    outputExpiresAfterMs: instant('output_expires_after'),
    heldUp: heldUpOf(record),
    output: json<ResultSegment[]>('output', []),
    failures: json<ResultSegment[]>('failures', []),
  };
}

function heldUpOf(record: Readonly<Record<string, string>>): Batch['heldUp'] {
  const { held_up_reason: reason, held_up_message: message = '' } = record;
  return reason ? { reason: reason as NonNullable<Batch['heldUp']>['reason'], message } : null;
}
