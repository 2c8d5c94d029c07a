import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Lane } from '@nightshift/shared/lane';
import type { InFlight } from './attempt/in-flight.ts';
import type { Outcome } from './attempt/outcome.ts';
import type { WorkerEnvironment } from './config.ts';

export interface Metrics {
  registry: Registry;
  onOutcome: (laneId: string, outcome: Outcome['kind'], durationMs: number) => void;
  onPaced: (lane: Lane) => void;
  onEstimate: (model: string, error: { ratio: number; mean: number }) => void;
}

export function createMetrics(inFlight: InFlight): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const outcomes = new Counter({
    name: 'nightshift_attempts_total',
    help: 'Attempts by lane and outcome.',
    labelNames: ['lane', 'outcome'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'nightshift_call_duration_seconds',
    help: 'Time from the call to the end of its answer.',
    labelNames: ['lane'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
    registers: [registry],
  });
  const calls = new Gauge({
    name: 'nightshift_calls_in_flight',
    help: 'Calls at providers now.',
    registers: [registry],
    collect: () => {
      calls.set(inFlight.size);
    },
  });
  const paced = new Counter({
    name: 'nightshift_pacer_round_trips_total',
    help: "Round trips to Redis for a lane's budget.",
    labelNames: ['lane'],
    registers: [registry],
  });
  const estimateRatio = new Gauge({
    name: 'nightshift_token_estimate_ratio',
    help: 'Input tokens as the provider counts them over our estimate, by model.',
    labelNames: ['model'],
    registers: [registry],
  });
  const estimateError = new Gauge({
    name: 'nightshift_token_estimate_error',
    help: 'Mean error of corrected estimates of input tokens, as a share of them, by model.',
    labelNames: ['model'],
    registers: [registry],
  });
  // Looked up by label once: prom-client hashes the labels anew for every call.
  const byLane = new Map<
    string,
    { duration: Histogram.Internal<'lane'>; counts: Map<string, Counter.Internal> }
  >();
  return {
    registry,
    onPaced: ({ id }) => {
      paced.inc({ lane: id });
    },
    onEstimate: (model, { ratio, mean }) => {
      estimateRatio.set({ model }, ratio);
      estimateError.set({ model }, mean);
    },
    onOutcome: (lane, outcome, durationMs) => {
      let own = byLane.get(lane);
      if (own === undefined) {
        own = { duration: durations.labels(lane), counts: new Map() };
        byLane.set(lane, own);
      }
      let count = own.counts.get(outcome);
      if (count === undefined) {
        count = outcomes.labels(lane, outcome);
        own.counts.set(outcome, count);
      }
      count.inc();
      own.duration.observe(durationMs / 1000);
    },
  };
}

/** Health and metrics of a worker, on HOST and WORKER_PORT; nothing is served unless the port is set. */
export async function startMetricsServer(
  environment: Pick<WorkerEnvironment, 'HOST' | 'WORKER_PORT'>,
  { registry }: Metrics,
  isReady: () => boolean,
): Promise<{ port: number; close(): Promise<void> } | undefined> {
  if (environment.WORKER_PORT === undefined) return undefined;
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain'): void => {
      response.writeHead(status, { 'content-type': type }).end(text);
    };
    if (request.url === '/livez') answer(200, 'ok\n');
    else if (request.url === '/readyz')
      answer(isReady() ? 200 : 503, isReady() ? 'ok\n' : 'redis is away\n');
    else if (request.url === '/metrics') {
      registry.metrics().then(
        (text) => answer(200, text, registry.contentType),
        () => answer(500, 'metrics failed\n'),
      );
    } else answer(404, 'not found\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(environment.WORKER_PORT, environment.HOST, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
