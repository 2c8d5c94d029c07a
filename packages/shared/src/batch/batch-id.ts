import { v7 } from 'uuid';

/** `batch_` and 32 hex digits: a UUID of version 7. */
export function newBatchId(): string {
  return `batch_${v7().replaceAll('-', '')}`;
}

export const batchIdPattern = /^batch_[0-9a-f]{32}$/;
