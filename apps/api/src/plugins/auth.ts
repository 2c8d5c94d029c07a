import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import { sha256, type ApiKey } from '../config.ts';
import { isLoopbackAddress, isLoopbackHostHeader, isLoopbackOrigin } from '../loopback.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose jobs this request may see. */
    tenant: string;
  }
}

/** Of everyone who calls an API without keys. */
const DEFAULT_TENANT = 'default';

/** The tenant that a bearer stands for, or undefined. */
export type Authenticate = (authorization: string | undefined) => string | undefined;

export function createAuthenticator(keys: readonly ApiKey[]): Authenticate {
  return (authorization) => {
    const [, bearer] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    if (bearer === undefined) return undefined;
    const digest = sha256(bearer);
    let tenant: string | undefined;
    // All of them, always: how long this takes tells nothing about which key was nearly right.
    for (const key of keys) {
      if (timingSafeEqual(key.digest, digest)) tenant = key.tenant;
    }
    return tenant;
  };
}

/** Who may call a route when keys are set. */
type Access = 'open' | 'open_on_loopback' | 'key';

/** By the route's pattern, so that no spelling of a path leads round the check. */
function accessOf(pattern: string | undefined): Access {
  if (pattern === undefined) return 'key';
  if (['/livez', '/readyz', '/metrics'].includes(pattern)) return 'open_on_loopback';
  return pattern === '/' || pattern === '/openapi.json' || /^\/docs(\/|$)/.test(pattern)
    ? 'open'
    : 'key';
}

export function registerAuth(app: FastifyInstance, keys: readonly ApiKey[]): void {
  const authenticate = createAuthenticator(keys);
  app.decorateRequest('tenant', DEFAULT_TENANT);
  app.addHook('onRequest', (request, _reply, done) => {
    done(keys.length === 0 ? checkLoopback(request) : checkKey(request, authenticate));
  });
}

function checkKey(request: FastifyRequest, authenticate: Authenticate): ApiError | undefined {
  const access = accessOf(request.routeOptions.url);
  if (access === 'open') return undefined;
  if (access === 'open_on_loopback' && isLoopbackAddress(request.raw.socket.remoteAddress)) {
    return undefined;
  }
  // A browser that asks for an icon is told that there is none, not to log in.
  if (request.is404 && !request.url.startsWith('/v1/')) return undefined;
  const { authorization } = request.headers;
  const tenant = authenticate(authorization);
  if (tenant !== undefined) {
    request.tenant = tenant;
    return undefined;
  }
  return new ApiError(
    'invalid_api_key',
    authorization === undefined
      ? 'No API key was given: send it as `Authorization: Bearer KEY`.'
      : 'The API key is not one of those that are let in.',
    { headers: { 'www-authenticate': 'Bearer' } },
  );
}

/**
 * Without keys, the machine is the border. A web page that is open on this machine is not inside of it: neither one
 * whose name was pointed at 127.0.0.1 afterwards (its Host names it), nor one that posts across origins.
 */
function checkLoopback(request: FastifyRequest): ApiError | undefined {
  const { host, origin } = request.headers;
  const isInside =
    isLoopbackAddress(request.raw.socket.remoteAddress) &&
    (host === undefined || host === '' || isLoopbackHostHeader(host)) &&
    (origin === undefined || isLoopbackOrigin(origin));
  return isInside
    ? undefined
    : new ApiError(
        'loopback_only',
        'Without API keys only this machine is let in, under a loopback name; set NIGHTSHIFT_API_KEYS to let others in.',
      );
}
