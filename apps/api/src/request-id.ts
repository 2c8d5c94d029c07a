import { randomUUID } from 'node:crypto';

/** `req_` and 32 hex digits. Always ours: a caller's own id could be chosen to forge lines in the log. */
export function newRequestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`;
}
