import type { FastifyInstance, FastifyRequest } from 'fastify';
import { answerBrokenSocket } from './error-answers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A file comes in: it may be large and take its time. */
    isUpload?: boolean;
  }
}

/**
 * Ends requests whose body takes too long to arrive. Node has one limit for all, which must let a large file through on a slow
 * line; all other bodies are small.
 */
export function registerArrival(
  app: FastifyInstance,
  { requestMs, checkEveryMs }: { requestMs: number; checkEveryMs: number },
): void {
  const arriving = new Map<FastifyRequest, number>();
  app.addHook('onRequest', (request, _reply, done) => {
    if (hasBody(request) && request.routeOptions.config.isUpload !== true) {
      arriving.set(request, performance.now() + requestMs);
    }
    done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    arriving.delete(request);
    done();
  });
  const check = (): void => {
    const now = performance.now();
    for (const [request, deadline] of arriving) {
      const { raw } = request;
      if (raw.complete || raw.destroyed) arriving.delete(request);
      else if (now >= deadline) {
        answerBrokenSocket(
          Object.assign(new Error('request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }),
          raw.socket,
        );
      }
    }
  };
  const timer = setInterval(check, checkEveryMs).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
