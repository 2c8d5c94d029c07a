import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { promisify } from 'node:util';
import type { Dispatcher } from 'undici';

/** A provider's whole answer as it came over the wire, decompressed. */
export interface WireAnswer {
  status: number;
  headers: AnswerHeaders;
  body: string;
}

/** The headers of an answer, by lower-case name. */
export interface AnswerHeaders {
  get(name: string): string | null;
}

/** The answer is longer than `limits.answer_bytes`, compressed or not. */
export class AnswerTooLargeError extends Error {
  constructor(limitBytes: number) {
    super(`the provider's answer is longer than ${limitBytes} bytes`);
    this.name = 'AnswerTooLargeError';
  }
}

/**
 * Handed through the SDK as `fetchOptions`. The signal goes this way too: the SDK would lay a controller and listeners of
 * its own around it for every call.
 */
export interface Capture {
  onAnswer: (answer: WireAnswer) => void;
  endsWith: AbortSignal;
  /** Sent as `x-client-request-id`. */
  clientRequestId: string;
}

/**
 * The fetch that the SDK is given, over undici's dispatcher: a third of the CPU of Node's own, measured, and no
 * time-out of its own, where Node's cuts every call at about 304 s. It reads the whole answer, bounded, before it
 * hands it over, so that the signal covers the body too.
 *
 * With its answer a call is over. What the SDK does with a response, log lines and errors that nobody would read, costs as
 * much as making the request: the promise that it waits for is left as it is. It rejects when there is no answer.
 */
export function createThinFetch(dispatcher: Dispatcher, answerBytes: number) {
  const targets = new Map<string, { origin: string; path: string }>();
  const targetOf = (url: string): { origin: string; path: string } => {
    let target = targets.get(url);
    if (target === undefined) {
      const { origin, pathname, search } = new URL(url);
      target = { origin, path: pathname + search };
      targets.set(url, target);
    }
    return target;
  };
  return async (url: string | URL | Request, init?: RequestInit): Promise<never> => {
    const { onAnswer, endsWith, clientRequestId, headers: built } = init as RequestInit & Capture;
    const received = await exchange(
      dispatcher,
      {
        ...targetOf(url as string),
        method: init?.method ?? 'GET',
        headers: [...(built as unknown as SentHeaders), 'x-client-request-id', clientRequestId],
        body: (init?.body ?? null) as string | null,
      },
      answerBytes,
      endsWith,
    );
    const headers = new ReceivedHeaders(received.headers);
    const body = await decode(received.body, headers.get('content-encoding'), answerBytes);
    onAnswer({ status: received.status, headers, body });
    return new Promise<never>(() => {});
  };
}

/** Name, value, name, value … */
export type SentHeaders = readonly string[];

type RawHeaders = Record<string, string | string[] | undefined>;

interface Received {
  status: number;
  headers: RawHeaders;
  body: Buffer;
}

/** One request and the whole of its answer. Rejects when the signal ends it, or the connection or the length does. */
async function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Received> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let status = 0;
    let headers: RawHeaders = {};
    let abort = (): void => {};
    const onAbort = (): void => abort();
    signal.addEventListener('abort', onAbort, { once: true });
    dispatcher.dispatch(request, {
      onRequestStart: (controller) => {
        abort = () => {
          controller.abort(new Error('the call was aborted'));
        };
        if (signal.aborted) abort();
      },
      onResponseStart: (_controller, statusCode, received) => {
        status = statusCode;
        headers = received;
      },
      onResponseData: (controller, chunk) => {
        length += chunk.length;
        if (length > limitBytes) controller.abort(new AnswerTooLargeError(limitBytes));
        else chunks.push(chunk);
      },
      onResponseEnd: () => {
        signal.removeEventListener('abort', onAbort);
        const [only] = chunks;
        const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
        resolve({ status, headers, body });
      },
      onResponseError: (_controller, error) => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    });
  });
}

/** As undici parsed them. */
class ReceivedHeaders implements AnswerHeaders {
  readonly #raw: RawHeaders;

  constructor(raw: RawHeaders) {
    this.#raw = raw;
  }

  get(name: string): string | null {
    const value = this.#raw[name];
    return Array.isArray(value) ? value.join(', ') : (value ?? null);
  }
}

type Decoder = (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

async function decode(
  received: Buffer,
  encoding: string | null,
  limitBytes: number,
): Promise<string> {
  if (encoding === null) return received.toString('utf8');
  let body = received;
  const names = encoding.toLowerCase().split(',');
  for (const name of names.map((part) => part.trim()).toReversed()) {
    const decoder = decoders[name];
    if (decoder === undefined) continue;
    try {
      body = await decoder(body, { maxOutputLength: limitBytes });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ERR_BUFFER_TOO_LARGE') throw new AnswerTooLargeError(limitBytes);
      throw error;
    }
  }
  return body.toString('utf8');
}
