import OpenAI, { APIConnectionError, APIPromise, type ClientOptions } from 'openai';
import { Agent } from 'undici';
import type { ProviderSettings } from '@nightshift/shared/config';
import type { Endpoint } from '@nightshift/shared/job';
import {
  AnswerTooLargeError,
  createThinFetch,
  type Capture,
  type SentHeaders,
  type WireAnswer,
} from './thin-fetch.ts';

interface ProviderRequest {
  endpoint: Endpoint;
  /** JSON, sent byte for byte. */
  body: string;
  /** Sent as `x-client-request-id`, which providers log. */
  clientRequestId: string;
  /** Ends the call; it alone does, there is no other time-out. */
  signal: AbortSignal;
}

/** What came of one call, before anybody judges it. */
export type ProviderAnswer =
  | ({ kind: 'answered' } & WireAnswer)
  /** `sent`: the provider may have seen the request. */
  | { kind: 'unreachable'; message: string; sent: boolean }
  | { kind: 'too_large'; message: string }
  | { kind: 'aborted' };

/** A vendor or endpoint, behind the official SDK. */
export interface Provider {
  call(request: ProviderRequest): Promise<ProviderAnswer>;
  close(): Promise<void>;
}

type FetchOptions = NonNullable<OpenAI.RequestOptions['fetchOptions']>;

/** The SDK's own timer must never be the one that ends a call: the attempt's signal is. */
const NEVER_MS = 2 ** 31 - 1;

type Fetch = NonNullable<ClientOptions['fetch']>;
type BuiltRequest = Awaited<ReturnType<OpenAI['buildRequest']>>;

/**
 * The SDK, with what it builds for an endpoint remembered: two calls' URL and headers differ in nothing, and putting
 * them together anew was the largest part of the SDK's share in a profile. Its time-out is left out: it is a timer and a
 * controller for each call, and the attempt has its own. Everything else of a request goes the SDK's way.
 */
class Client extends OpenAI {
  readonly #fetch: Fetch;
  readonly #built = new Map<string, { url: string; timeout: number; headers: SentHeaders }>();

  constructor(options: ClientOptions & { fetch: Fetch }) {
    super(options);
    this.#fetch = options.fetch;
  }

  override async buildRequest(
    ...[options, attempt]: Parameters<OpenAI['buildRequest']>
  ): Promise<BuiltRequest> {
    let built = this.#built.get(options.path);
    if (built === undefined) {
      const { req, url, timeout } = await super.buildRequest(options, attempt);
      built = { url, timeout, headers: [...(req.headers as Headers)].flat() };
      this.#built.set(options.path, built);
    }
    const { url, timeout, headers } = built;
    const given = { ...(options.fetchOptions as object), body: options.body as string };
    const method = options.method.toUpperCase();
    const req = { method, headers: headers as unknown as Headers, ...given };
    return { url, timeout, req };
  }

  /** The SDK hangs functions on each promise, which V8 keeps, with all of the call, until a major collection (docs/adr/0024). */
  override request<Answer>(...[options]: Parameters<OpenAI['request']>): APIPromise<Answer> {
    return new APIPromise<Answer>(this, this['makeRequest'](options, 0, undefined));
  }

  override async fetchWithTimeout(
    ...[url, init]: Parameters<OpenAI['fetchWithTimeout']>
  ): Promise<Response> {
    return this.#fetch(url, init);
  }
}

export function createProvider(settings: ProviderSettings, answerBytes: number): Provider {
  const dispatcher = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    connectTimeout: 10_000,
    keepAliveTimeout: 30_000,
  });
  const client = new Client({
    // The SDK insists on a key; an engine of one's own may want none and ignores it.
    apiKey: settings.apiKey ?? 'none',
    baseURL: settings.baseUrl,
    defaultHeaders: settings.headers,
    // One owner of retries, and it is not the SDK.
    maxRetries: 0,
    timeout: NEVER_MS,
    fetch: createThinFetch(dispatcher, answerBytes),
    logLevel: 'off',
  });

  return {
    call: async ({ endpoint, body, clientRequestId, signal }) => {
      return new Promise<ProviderAnswer>((resolve) => {
        const capture: Capture = {
          onAnswer: (answer) => {
            resolve({ kind: 'answered', ...answer });
          },
          endsWith: signal,
          clientRequestId,
        };
        client
          .post(endpoint.slice('/v1'.length), {
            body,
            headers: { 'content-type': 'application/json' },
            fetchOptions: capture as object as FetchOptions,
          })
          .asResponse()
          .catch((error: unknown) => {
            resolve(failure(error, signal));
          });
      });
    },
    close: async () => {
      await dispatcher.close();
    },
  };
}

function failure(error: unknown, signal: AbortSignal): ProviderAnswer {
  if (signal.aborted) return { kind: 'aborted' };
  const cause =
    error instanceof APIConnectionError && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AnswerTooLargeError) return { kind: 'too_large', message: cause.message };
  const { code } = cause as NodeJS.ErrnoException;
  const message = cause instanceof Error ? cause.message : 'connection failed';
  return {
    kind: 'unreachable',
    message: code === undefined ? message : `${message} (${code})`,
    sent: code === undefined || !beforeSending.has(code),
  };
}

/** Error codes of failures before a connection existed, from Node's `dns`, the system's `connect`, undici and TLS. */
const beforeSending: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'ESERVFAIL', 'ETIMEOUT'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'EMFILE', 'ENFILE'],
  ...['CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'EPROTO'],
]);
