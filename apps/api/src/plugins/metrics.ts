import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { aliveWorkers, workerStates } from '@nightshift/shared/fleet';
import { jobStatuses, waitReasons, type WaitReason } from '@nightshift/shared/job';
import type { BatchContext } from '../batches/batch-context.ts';
import type { Context } from '../context.ts';
import { allLanes } from '../present-lane.ts';
import { answer, errorAnswers } from '../routes/answers.ts';
import { countBatches, countLanes } from '../waiting-counts.ts';

const laneReasons = [
  'paused',
  'rate_limit',
  'lane_paused',
  'provider_unreachable',
  'no_worker',
] as const satisfies WaitReason[];
const laneStateNames = ['open', 'cooling', 'paused', 'unreachable'] as const;

/** Prometheus' text: this process, its HTTP calls, and what stands in Redis at the moment of the scrape. */
export function registerMetrics(
  app: FastifyInstance,
  context: Context,
  batchContext: BatchContext | null,
): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  observeRequests(app, registry);
  const readRedis = redisGauges(registry, context);
  const readStanding = standingGauges(registry, context, batchContext);
  const schema = {
    operationId: 'metrics',
    tags: ['operation'],
    summary: "Prometheus' metrics",
    security: [],
    response: { 200: answer('The metrics', z.string(), 'text/plain'), ...errorAnswers() },
  };
  app.get('/metrics', { schema }, async (_request, reply) => {
    await Promise.all([readRedis(), readStanding()]);
    return reply.header('content-type', registry.contentType).send(await registry.metrics());
  });
}

function observeRequests(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'nightshift_http_request_duration_seconds',
    help: 'From the arrival of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  app.addHook('onResponse', (request, reply, done) => {
    durations.observe(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
      },
      reply.elapsedTime / 1000,
    );
    done();
  });
}

function redisGauges(registry: Registry, context: Context): () => Promise<void> {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const up = gauge('nightshift_redis_up', '1 if Redis answered this scrape.', []);
  const jobs = gauge('nightshift_jobs', 'Jobs by status, over all tenants.', ['status']);
  const lane = ['lane', 'provider', 'model'] as const;
  const state = gauge('nightshift_lane_state', '1 for the state that a lane is in.', [
    ...lane,
    'state',
  ]);
  const queued = gauge('nightshift_lane_queued', "Deliveries that wait in a lane's queues.", [
    ...lane,
    'priority',
  ]);
  const inFlight = gauge('nightshift_lane_in_flight', "A lane's jobs that a worker holds.", lane);
  const limit = gauge(
    'nightshift_lane_limit',
    'What a lane may have: requests and tokens per minute, calls at once.',
    [...lane, 'unit'],
  );
  const remaining = gauge('nightshift_lane_remaining', 'What is left of it now.', [
    ...lane,
    'unit',
  ]);
  const refused = gauge(
    'nightshift_lane_refused_last_minute',
    'Calls that the provider refused.',
    lane,
  );

  return async () => {
    for (const one of [jobs, state, queued, inFlight, limit, remaining, refused]) one.reset();
    try {
      const counts = await countJobs(context);
      const views = await allLanes(context);
      for (const [status, count] of Object.entries(counts)) jobs.set({ status }, count);
      for (const { id, provider, model, ...view } of views) {
        const labels = { lane: id, provider, model };
        for (const name of laneStateNames) {
          state.set({ ...labels, state: name }, view.state === name ? 1 : 0);
        }
        queued.set({ ...labels, priority: 'interactive' }, view.queued.interactive);
        queued.set({ ...labels, priority: 'bulk' }, view.queued.bulk);
        inFlight.set(labels, view.in_flight);
        refused.set(labels, view.refused_last_minute);
        setKnown(limit, { ...labels, unit: 'requests' }, view.limits.requests_per_minute);
        setKnown(limit, { ...labels, unit: 'tokens' }, view.limits.tokens_per_minute);
        setKnown(limit, { ...labels, unit: 'calls' }, view.limits.concurrency);
        setKnown(remaining, { ...labels, unit: 'requests' }, view.pacing.remaining_requests);
        setKnown(remaining, { ...labels, unit: 'tokens' }, view.pacing.remaining_tokens);
      }
      up.set(1);
    } catch {
      // What Redis would have told is left out; the process still shows that it is alive.
      up.set(0);
    }
  };
}

/** Workers, and waiting work by reason. A scrape omits them when Redis does not answer. */
function standingGauges(
  registry: Registry,
  context: Context,
  batchContext: BatchContext | null,
): () => Promise<void> {
  const registers = [registry];
  const workers = new Gauge({
    name: 'nightshift_workers',
    help: 'Worker processes by state; silent: no heartbeat for 12 s.',
    labelNames: ['state'],
    registers,
  });
  const slots = new Gauge({
    name: 'nightshift_worker_slots',
    help: 'Slots of alive workers.',
    registers,
  });
  const slotsUsed = new Gauge({
    name: 'nightshift_worker_slots_used',
    help: 'Slots in use on alive workers.',
    registers,
  });
  const waiting = new Gauge({
    name: 'nightshift_waiting',
    help: 'Waiting work by reason: batches, lanes, and deliveries in the queues of such lanes.',
    labelNames: ['object', 'reason'],
    registers,
  });

  return async () => {
    for (const one of [workers, slots, slotsUsed, waiting]) one.reset();
    try {
      const fleet = await context.workers.all();
      const counts = [
        ...countLanes(await allLanes(context)),
        ...(batchContext === null ? [] : await countBatches(batchContext)),
      ];
      for (const state of workerStates) {
        workers.set({ state }, fleet.workers.filter((worker) => worker.state === state).length);
      }
      const alive = aliveWorkers(fleet);
      slots.set(alive.reduce((sum, worker) => sum + worker.slots, 0));
      slotsUsed.set(alive.reduce((sum, worker) => sum + worker.slotsUsed, 0));
      // An alert needs the series to exist before anything waits.
      for (const reason of waitReasons) waiting.set({ object: 'batch', reason }, 0);
      for (const reason of laneReasons) {
        for (const object of ['lane', 'delivery']) waiting.set({ object, reason }, 0);
      }
      for (const { object, reason, count } of counts) waiting.inc({ object, reason }, count);
    } catch {
      for (const one of [workers, slots, slotsUsed, waiting]) one.reset();
    }
  };
}

/** What is not known has no sample: 0 would be a limit. */
function setKnown<Label extends string>(
  gauge: Gauge<Label>,
  labels: Record<Label, string>,
  value: number | null,
): void {
  if (value !== null) gauge.set(labels, value);
}

async function countJobs({ jobs }: Context): Promise<Record<string, number>> {
  const sums: Record<string, number> = Object.fromEntries(jobStatuses.map((name) => [name, 0]));
  const tenants = await jobs.tenants();
  for (const counts of await Promise.all(tenants.map(async (tenant) => jobs.counts(tenant)))) {
    for (const [status, count] of Object.entries(counts))
      sums[status] = (sums[status] ?? 0) + count;
  }
  return sums;
}
