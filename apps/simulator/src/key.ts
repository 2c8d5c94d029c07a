import type { IncomingHttpHeaders } from 'node:http';

/** The API key of a call: `authorization: Bearer …`, or Azure's `api-key`; null without one. */
export function givenKey(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization !== undefined && /^bearer /i.test(authorization)) {
    return authorization.slice(7).trim() || null;
  }
  const key = headers['api-key'];
  return typeof key === 'string' && key !== '' ? key : null;
}
