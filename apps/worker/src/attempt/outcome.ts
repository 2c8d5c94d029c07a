import type { JobErrorCode } from '@nightshift/shared/job';
import type { LanePauseReason } from '@nightshift/shared/lane';
import type { Usage } from '@nightshift/shared/usage';

export interface RecordedResponse {
  statusCode: number;
  requestId: string | null;
  body: string;
}

/** Why this process aborted a call. */
export type AbortReason =
  /** The job was cancelled, expired or taken over: its record is not ours any more. */
  | 'withdrawn'
  /** The attempt took longer than it may. */
  | 'timed_out'
  /** The call hung through an outage, and its lane answers other calls again. */
  | 'silent'
  /** This worker is stopping. */
  | 'handed_off';

/** The result of an attempt. */
export type Outcome =
  | { kind: 'succeeded'; response: RecordedResponse; usage: Usage | null }
  | {
      kind: 'rate_limited';
      retryAfterMs: number | null;
      message: string;
      response: RecordedResponse;
    }
  | { kind: 'lane_refused'; reason: LanePauseReason; message: string; response: RecordedResponse }
  | { kind: 'rejected'; response: RecordedResponse; message: string }
  | {
      kind: 'retryable';
      code: JobErrorCode;
      message: string;
      retryAfterMs: number | null;
      response: RecordedResponse | null;
      /** The provider may have received the request, worked on it and charged for it. */
      wasSent: boolean;
    }
  | { kind: 'aborted'; reason: Exclude<AbortReason, 'timed_out'> };
