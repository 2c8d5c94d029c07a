/** What the bench tells the two baseline processes, through their environment. */
interface BaselineSettings {
  queueName: string;
  connection: { host: string; port: number };
  /** Where the API listens. */
  port: number;
  concurrency: number;
  /** Of the provider, with the version. */
  baseURL: string;
}

export const BASELINE_QUEUE = 'completions';

/** @throws TypeError when REDIS_URL is missing or is no URL. */
export function readBaselineSettings(): BaselineSettings {
  const redis = new URL(process.env['REDIS_URL'] ?? '');
  return {
    queueName: BASELINE_QUEUE,
    connection: { host: redis.hostname, port: Number(redis.port) },
    port: Number(process.env['PORT'] ?? 0),
    concurrency: Number(process.env['CONCURRENCY'] ?? 64),
    baseURL: process.env['OPENAI_BASE_URL'] ?? '',
  };
}
