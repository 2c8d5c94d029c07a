import type { Core } from './core.ts';

/** Label values escape backslash, quote and line break, as the text format of Prometheus asks. */
const label = (model: string): string =>
  model
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', ' ');

/** `GET /metrics`: an engine's queue in the words of vLLM, and the counts of calls. */
export function metricsText(core: Core): string {
  const engines = new Map(core.settings.models.map((model) => [model, { running: 0, waiting: 0 }]));
  for (const [model, { running, waiting }] of core.limits.engines()) {
    engines.set(model, { running, waiting });
  }
  const gauge = (name: string, help: string, of: 'running' | 'waiting'): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...[...engines].map(([model, counts]) => `${name}{model_name="${label(model)}"} ${counts[of]}`),
  ];
  const stats = core.counters.snapshot();
  const calls = Object.entries(stats.models).flatMap(([model, counts]) =>
    Object.entries(counts.by_status).map(
      ([status, count]) =>
        `simulator_calls_total{model_name="${label(model)}",status="${status}"} ${count}`,
    ),
  );
  return [
    ...gauge('vllm:num_requests_running', 'Calls that hold a slot.', 'running'),
    ...gauge('vllm:num_requests_waiting', 'Calls that wait for a slot.', 'waiting'),
    '# HELP simulator_calls_total Calls that have ended.',
    '# TYPE simulator_calls_total counter',
    ...calls,
    '# HELP simulator_in_flight Calls in flight.',
    '# TYPE simulator_in_flight gauge',
    `simulator_in_flight ${stats.in_flight}`,
    '',
  ].join('\n');
}
