import { fastify, type FastifyInstance } from 'fastify';
import { MOST_UPLOAD_MS } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import type { Arrival, Context, Dependencies } from './context.ts';
import { createFleetStates } from './fleet-states.ts';
import { createLaneStates } from './lane-states.ts';
import { registerArrival } from './plugins/arrival.ts';
import { registerAuth } from './plugins/auth.ts';
import {
  answerBrokenSocket,
  redisUnavailable,
  registerErrorAnswers,
  sendError,
  toApiError,
} from './plugins/error-answers.ts';
import { registerJsonBody } from './plugins/json-body.ts';
import { registerMetrics } from './plugins/metrics.ts';
import { registerDocs, registerOpenApi } from './plugins/openapi.ts';
import { registerValidation } from './plugins/validation.ts';
import { parseQuery } from './query-string.ts';
import { newRequestId } from './request-id.ts';
import { registerChangeJobs } from './routes/change-jobs.ts';
import { registerBatches } from './routes/batches.ts';
import { registerCreateJob } from './routes/create-job.ts';
import { registerFiles } from './routes/files.ts';
import { registerHealth } from './routes/health.ts';
import { registerJobEvents } from './routes/job-events.ts';
import { registerLanes } from './routes/lanes.ts';
import { registerModels } from './routes/models.ts';
import { registerPage } from './routes/page.ts';
import { registerReadJobs } from './routes/read-jobs.ts';
import { registerWorkers } from './routes/workers.ts';
import { createUploadSlots } from './upload/upload-slots.ts';

export type { Dependencies } from './context.ts';
export type Api = FastifyInstance;

/** Room for the fields around `body`. */
const ENVELOPE_BYTES = 65_536;

/**
 * Above the longest wait of a long-poll and the heartbeat of a stream: a connection that is silent for longer is dead.
 */
const CONNECTION_TIMEOUT_MS = 120_000;
/** Node's default for both is generous or none; a client that sends one byte a second must not hold a socket. */
const ARRIVAL: Arrival = {
  requestMs: 60_000,
  uploadMs: MOST_UPLOAD_MS,
  headersMs: 20_000,
  checkEveryMs: 2000,
};
/** Longer than the 60 s after which common load balancers give up an idle connection. */
const KEEP_ALIVE_MS = 75_000;
const MOST_HEADER_BYTES = 16_384;

/** The HTTP API over what it is given; opens no connection and no port. */
export async function buildApp(dependencies: Dependencies): Promise<Api> {
  const { batching, configuration, clock, lanes, logger, workers } = dependencies;
  const arrival = { ...ARRIVAL, ...dependencies.arrival };
  const context: Context = {
    isFull: () => false,
    isAtLimit: () => false,
    isFit: () => true,
    heartbeatMs: 15_000,
    ...dependencies,
    arrival,
    laneStates: createLaneStates(lanes, clock),
    fleetStates: createFleetStates(workers, clock),
    uploadSlots: createUploadSlots(configuration.limits),
  };
  const app = fastify({
    // A logger of its own for each request costs more than all the rest of a small one.
    logger: false,
    genReqId: newRequestId,
    requestIdHeader: false,
    bodyLimit: configuration.limits.jobBodyBytes + ENVELOPE_BYTES,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: arrival.uploadMs,
    http: {
      headersTimeout: arrival.headersMs,
      connectionsCheckingInterval: arrival.checkEveryMs,
      maxHeaderSize: MOST_HEADER_BYTES,
      // Node's own answer to it is empty; ours is in the envelope.
      requireHostHeader: false,
    },
    // A request on an open connection is still answered while this process finishes; its 503 has no envelope.
    return503OnClosing: false,
    // A long path segment is an id that does not exist, not a path that does not.
    routerOptions: { maxParamLength: MOST_HEADER_BYTES, querystringParser: parseQuery },
    frameworkErrors: (error, request, reply) => {
      void sendError(toApiError(error), request, reply);
    },
    clientErrorHandler: answerBrokenSocket,
  });

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  registerHttpRules(app);
  registerArrival(app, arrival);
  registerAuth(app, context.keys);
  registerErrorAnswers(app, logger);
  registerRequestLog(app, context);
  registerFitness(app, context);
  registerJsonBody(app);
  registerValidation(app);
  await registerOpenApi(app);
  registerMetrics(app, context, batching === undefined ? null : { ...context, ...batching });
  registerHealth(app, context);
  registerCreateJob(app, context);
  registerReadJobs(app, context);
  registerChangeJobs(app, context);
  registerJobEvents(app, context);
  if (batching !== undefined) registerBatches(app, { ...context, ...batching });
  registerLanes(app, context);
  registerWorkers(app, context);
  await registerFiles(app, context);
  registerModels(app, context);
  registerPage(app);
  await registerDocs(app);
  app.addHook('preClose', (done) => {
    context.eventHub.finishAll();
    done();
  });
  return app;
}

/** What Node would answer by itself, without the envelope. */
function registerHttpRules(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    const isNameless = raw.httpVersion === '1.1' && raw.headers.host === undefined;
    done(isNameless ? new ApiError('bad_request', 'The Host header is missing.') : undefined);
  });
  // An expectation that is not known may be passed over (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', (request, response) => {
    app.server.emit('request', request, response);
  });
}

/** Until Redis was seen to keep what it acknowledges, nothing is promised on it. */
function registerFitness(app: FastifyInstance, { isFit }: Context): void {
  app.addHook('onRequest', (request, _reply, done) => {
    // By pattern: the URL of a request can be written in more than one way.
    const needsRedis = request.routeOptions.url?.startsWith('/v1/') === true;
    done(isFit() || !needsRedis ? undefined : redisUnavailable());
  });
}

/** One line a request, without its query, headers or body; only where it is asked for, since it costs. */
function registerRequestLog(app: FastifyInstance, { logger }: Context): void {
  if (!logger.isLevelEnabled('debug')) return;
  app.addHook('onResponse', (request, reply, done) => {
    logger.debug(
      {
        requestId: request.id,
        tenant: request.tenant,
        method: request.method,
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
      },
      'request.answered',
    );
    done();
  });
}
