import { formatDuration } from '../limits/duration.ts';
import { modelNotFound, wrongApiKey, type ProviderError } from '../errors.ts';
import type { Fault } from './fault.ts';

type StatusFault = Extract<Fault, { kind: 'status' }>;

const DEFAULT_WAIT_MS = 1000;

/** How long a status fault asks the caller to wait, or null when it does not say. */
export function waitOf(fault: StatusFault): number | null {
  if (fault.headers === false) return null;
  return fault.wait_ms ?? (fault.status === 429 ? DEFAULT_WAIT_MS : null);
}

/** Message, type and code of each status that needs no more than its number. */
const ENVELOPES: Record<
  Exclude<StatusFault['status'], 401 | 404 | 429>,
  [message: string, type: string, code: string | null]
> = {
  400: ['Invalid request, as asked for.', 'invalid_request_error', 'invalid_value'],
  403: ['You are not allowed to do this.', 'invalid_request_error', 'access_denied'],
  408: ['Request timed out.', 'server_error', 'request_timeout'],
  409: ['The resource was changed by another request.', 'server_error', 'conflict'],
  413: ['Request too large.', 'invalid_request_error', 'request_too_large'],
  422: ['Unprocessable request.', 'invalid_request_error', 'unprocessable_entity'],
  500: ['The server had an error while processing your request.', 'server_error', null],
  502: ['Bad gateway.', 'server_error', null],
  503: ['That model is currently overloaded.', 'server_error', 'overloaded'],
  504: ['The upstream server took too long.', 'server_error', null],
  529: ['Overloaded.', 'overloaded_error', 'overloaded'],
};

/** The envelope of a status that was asked for. */
export function statusError(fault: StatusFault, model: string): ProviderError {
  const { status } = fault;
  if (status === 401) return wrongApiKey(true);
  if (status === 404) return modelNotFound(model);
  if (status !== 429) {
    const [message, type, code] = ENVELOPES[status];
    return { status, message, type, param: null, code };
  }
  const waitMs = waitOf(fault);
  const hint = waitMs === null ? '' : ` Please try again in ${formatDuration(waitMs)}.`;
  return {
    status,
    message: `Rate limit reached for ${model} in organization org-simulator on requests per min (RPM).${hint}`,
    type: 'requests',
    param: null,
    code: 'rate_limit_exceeded',
  };
}
