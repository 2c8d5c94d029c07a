import type { Endpoint } from '@nightshift/shared/job';

/** How the answer of an endpoint looks when it is one. */
const RESULTS: Readonly<Record<Endpoint, string>> = {
  '/v1/chat/completions': 'choices',
  '/v1/completions': 'choices',
  '/v1/responses': 'output',
  '/v1/embeddings': 'data',
  '/v1/moderations': 'results',
};

/** Of a response that is no result: it failed, or has not been made yet. */
const UNFINISHED = new Set(['failed', 'queued', 'in_progress', 'cancelled']);

/**
 * Why a 2xx is not the answer of its endpoint, or null when it is: gateways wrap failures into a 200. `failure` is the part of the
 * answer that says what went wrong.
 */
export function missingResult(
  endpoint: Endpoint,
  answer: Readonly<Record<string, unknown>>,
): { reason: string; failure: unknown } | null {
  const name = RESULTS[endpoint];
  const results = answer[name];
  if (!Array.isArray(results)) return { reason: `without ${name}`, failure: answer };
  if (endpoint === '/v1/responses') {
    const { status } = answer;
    return typeof status === 'string' && UNFINISHED.has(status)
      ? { reason: `with status ${status}`, failure: answer }
      : null;
  }
  if (isError(answer['error'])) return { reason: 'with an error', failure: answer };
  const [first] = results as unknown[];
  if (typeof first !== 'object' || first === null) return null;
  return 'error' in first && isError(first.error)
    ? { reason: 'with an error', failure: first }
    : null;
}

/** Some servers always send the field. */
function isError(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== '';
}
