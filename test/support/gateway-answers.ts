import type { ProxyRequest } from './provider-proxy.ts';
import { seeded } from './random.ts';

export interface GatewayAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

function json(status: number, error: { message: string; type: string; code: string | null }) {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ error: { ...error, param: null } }),
  };
}

function page(status: number, title: string, text: string): GatewayAnswer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', server: 'cloudflare' },
    body: `<!DOCTYPE html>\n<html><head><title>${title}</title></head>\n<body><h1>${title}</h1><p>${text}</p></body></html>\n`,
  };
}

/** The provider's message about a wrong key, which the tests look for. */
export const WRONG_KEY = 'Incorrect API key provided: sk-…xyz.';

export const overloaded: GatewayAnswer = json(503, {
  message: 'The engine is currently overloaded, please try again later.',
  type: 'server_error',
  code: null,
});
export const badGateway: GatewayAnswer = page(
  502,
  '502 Bad Gateway',
  'The web server reported a bad gateway error.',
);
export const brokenEngine: GatewayAnswer = json(500, {
  message: 'The server had an error while processing your request.',
  type: 'server_error',
  code: null,
});
export const wrongKey: GatewayAnswer = json(401, {
  message: WRONG_KEY,
  type: 'invalid_request_error',
  code: 'invalid_api_key',
});
export const firewallPage: GatewayAnswer = page(
  403,
  'Attention Required!',
  'Sorry, you have been blocked. Ray ID: 8f2c1d.',
);
export const flaggedInput: GatewayAnswer = json(403, {
  message: 'Your chosen model requires moderation and your input was flagged.',
  type: 'permission_error',
  code: null,
});
/** No header and no number tells when to come back. */
export const tooManyTokens: GatewayAnswer = json(429, {
  message: 'Too many tokens in this request for the present moment.',
  type: 'rate_limit_error',
  code: null,
});

type Choice = (request: ProxyRequest) => GatewayAnswer | null;

/** Applies to this share of the calls, drawn independently for each call. */
export function forShare(answer: GatewayAnswer, share: number, seed: number): Choice {
  const random = seeded(seed);
  return ({ method }) => (method === 'POST' && random() < share ? answer : null);
}

/** The calls that carry one of these markers. */
export function forMarkers(answers: Readonly<Record<string, GatewayAnswer>>): Choice {
  return ({ marker }) =>
    marker !== null && Object.hasOwn(answers, marker) ? (answers[marker] ?? null) : null;
}
