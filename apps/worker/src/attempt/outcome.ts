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
  /** No call of its lane came back for long, and now others do: this one will not. */
  | 'silent'
  /** This worker stops. */
  | 'handed_off';

/** What an attempt came to. */
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
      /** The provider may have seen the request: it may have worked on it, and may charge for it. */
      wasSent: boolean;
    }
  | { kind: 'aborted'; reason: Exclude<AbortReason, 'timed_out'> };
