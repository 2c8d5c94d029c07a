import type { JobErrorCode } from '@nightshift/shared/job';
import type { LanePauseReason } from '@nightshift/shared/lane';
import type { Usage } from '@nightshift/shared/usage';

export interface RecordedResponse {
  statusCode: number;
  requestId: string | null;
  body: string;
}

/** Why a call was ended from this side. */
export type AbortReason =
  /** The job was cancelled, expired or taken over: its record is not ours any more. */
  | 'withdrawn'
  /** The attempt took longer than it may. */
  | 'timed_out'
  /** This worker stops. */
  | 'handed_off';

/** What an attempt came to. */
export type Outcome =
  | { kind: 'succeeded'; response: RecordedResponse; usage: Usage | null }
  | { kind: 'rate_limited'; retryAfterMs: number | null; message: string }
  | { kind: 'lane_refused'; reason: LanePauseReason; message: string }
  | { kind: 'rejected'; response: RecordedResponse; message: string }
  | {
      kind: 'retryable';
      code: JobErrorCode;
      message: string;
      retryAfterMs: number | null;
      response: RecordedResponse | null;
    }
  | { kind: 'aborted'; reason: Exclude<AbortReason, 'timed_out'> };
