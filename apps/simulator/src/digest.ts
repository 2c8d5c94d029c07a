import { hash } from 'node:crypto';

/** SHA-256 of a request body as it came over the wire, 64 hex digits. */
export function bodySha256(body: string | Uint8Array): string {
  return hash('sha256', body, 'hex');
}

/**
 * The twelve hex digits that an answer carries as `[body:…]`. An object is digested as
 * `JSON.stringify` writes it, which is how the official SDKs send it.
 */
export function bodyDigest(body: string | Uint8Array | object): string {
  const bytes =
    typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return bodySha256(bytes).slice(0, 12);
}
