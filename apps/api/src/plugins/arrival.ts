import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Bag, type Place } from '@nightshift/shared/collections';
import { answerBrokenSocket } from './error-answers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A file comes in: it may be large and take its time. */
    isUpload?: boolean;
  }
  interface FastifyReply {
    /** While the body of its request comes in. */
    arriving: Place<Arriving> | null;
  }
}

interface Arriving {
  reply: FastifyReply;
  /** On the clock of `performance.now()`. */
  deadlineMs: number;
}

/**
 * Ends requests whose body takes too long to arrive. Node has one limit for all, which must let a large file through on a slow
 * line; all other bodies are small.
 */
export function registerArrival(
  app: FastifyInstance,
  { requestMs, checkEveryMs }: { requestMs: number; checkEveryMs: number },
): void {
  const arriving = new Bag<Arriving>();
  const forget = (reply: FastifyReply): void => {
    if (reply.arriving !== null) arriving.delete(reply.arriving);
    reply.arriving = null;
  };
  app.decorateReply('arriving', null);
  app.addHook('onRequest', (request, reply, done) => {
    if (hasBody(request) && request.routeOptions.config.isUpload !== true) {
      reply.arriving = arriving.add({ reply, deadlineMs: performance.now() + requestMs });
    }
    done();
  });
  app.addHook('preValidation', (_request, reply, done) => {
    forget(reply);
    done();
  });
  const check = (): void => {
    const now = performance.now();
    for (const { reply, deadlineMs } of arriving) {
      const { raw } = reply.request;
      if (raw.complete || raw.destroyed) forget(reply);
      else if (now < deadlineMs) continue;
      // It was refused already, and its sender goes on sending.
      else if (reply.sent) raw.destroy();
      else answerBrokenSocket(timeOut(), raw.socket);
    }
  };
  const timer = setInterval(check, checkEveryMs).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
}

function timeOut(): Error {
  return Object.assign(new Error('request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
