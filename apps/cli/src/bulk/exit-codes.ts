import type { BatchView } from '@nightshift/shared/http';

/** What the commands for bulk runs end with. Ended by a signal it is 128 and its number: 130 for Ctrl-C. */
export const exitCodes = {
  /** Everything went well; of a batch: every request succeeded. */
  success: 0,
  /** The command could not do what it should: the server, the disk, an id that is not known. */
  failure: 1,
  /** The command line or the input is wrong; nothing was submitted. */
  usage: 2,
  /** The batch ended, and some of its requests failed. */
  requestsFailed: 3,
  /** The batch failed as a whole, was cancelled, or expired. */
  batchFailed: 4,
} as const;

/** Of a settled batch. */
export function exitCodeOf({ status, request_counts: counts }: BatchView): number {
  if (status !== 'completed') return exitCodes.batchFailed;
  return counts.failed > 0 ? exitCodes.requestsFailed : exitCodes.success;
}

/** Why a command could not do what it should, in one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
