import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { answerCall } from './call.ts';
import { answerControl, type Control } from './control.ts';
import type { Core } from './core.ts';
import { modelBody, modelList } from './endpoints/models.ts';
import { endpoints } from './endpoints/table.ts';
import { errorBody, modelNotFound, unknownUrl, wrongApiKey, type ProviderError } from './errors.ts';
import { givenKey } from './key.ts';
import { metricsText } from './metrics.ts';

const LARGEST_BODY = 100_000_000;
/** Longer than callers keep idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 120_000;
const JSON_TYPE = 'application/json';

/** The HTTP server of a simulator, not yet listening. */
export function createSimulatorServer(core: Core, control: Control): Server {
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 5000, requestTimeout: 0 },
    (request, response) => {
      readBody(request, (bytes) => {
        if (bytes === null) sendError(response, bodyTooLarge);
        else route(core, control, request, response, bytes);
      });
    },
  );
  return server;
}

const bodyTooLarge: ProviderError = {
  status: 413,
  message: `The request body is larger than ${LARGEST_BODY} bytes.`,
  type: 'invalid_request_error',
  param: null,
  code: 'request_too_large',
};

/** Null for a body beyond the limit, which is read to its end and thrown away. */
function readBody(request: IncomingMessage, done: (bytes: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= LARGEST_BODY) chunks.push(chunk);
    else chunks.length = 0;
  });
  request.on('end', () => {
    if (size > LARGEST_BODY) return done(null);
    const [only] = chunks;
    return done(chunks.length === 1 && only ? only : Buffer.concat(chunks));
  });
  // A caller that leaves while it still sends has made no call.
  request.on('error', () => undefined);
}

function route(
  core: Core,
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
): void {
  const { method = 'GET', url = '/' } = request;
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const endpoint = method === 'POST' ? endpoints.get(path) : undefined;
  if (endpoint) {
    answerCall(core, endpoint, request, response, bytes).catch((error: unknown) => {
      // A bug here must fail the one call and be seen, and leave the other calls alone.
      process.stderr.write(`simulator: ${error instanceof Error ? error.stack : String(error)}\n`);
      response.destroy();
    });
  } else if (path.startsWith('/_simulator/')) {
    const answer = answerControl(control, method, controlUrl(url), bytes.toString());
    send(response, answer.status, JSON_TYPE, answer.body);
  } else if (method === 'GET' && path === '/metrics') {
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', metricsText(core));
  } else if (method === 'GET' && path === '/health') {
    send(response, 200, JSON_TYPE, '{"status":"ok"}');
  } else if (method === 'GET' && (path === '/v1/models' || path.startsWith('/v1/models/'))) {
    answerModels(core, request, response, path);
  } else {
    sendError(response, unknownUrl(method, path));
  }
}

function answerModels(
  core: Core,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void {
  const key = givenKey(request.headers);
  if (core.apiKeys.size > 0 && (key === null || !core.apiKeys.has(key))) {
    sendError(response, wrongApiKey(key !== null));
    return;
  }
  if (path === '/v1/models') {
    send(response, 200, JSON_TYPE, modelList(core.settings.models));
    return;
  }
  const id = decoded(path.slice('/v1/models/'.length));
  const body = modelBody(id);
  if (body === null) sendError(response, modelNotFound(id));
  else send(response, 200, JSON_TYPE, body);
}

function controlUrl(url: string): URL {
  return URL.parse(url, 'http://simulator') ?? new URL('http://simulator/');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function sendError(response: ServerResponse, error: ProviderError): void {
  send(response, error.status, JSON_TYPE, errorBody(error));
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
