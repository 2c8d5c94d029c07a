/**
 * BullMQ's own limiter, set by hand: so many jobs a minute over all workers of the queue. What is refused all the
 * same comes back after a random time that grows (full jitter, at most a minute), as often as it takes; the SDK does
 * not retry by itself.
 */
import { Worker } from 'bullmq';
import OpenAI from 'openai';
import { readBaselineSettings } from './settings.ts';

const MOST_BACKOFF_MS = 60_000;

const { queueName, connection, concurrency, baseURL } = readBaselineSettings();

const openai = new OpenAI({ baseURL, apiKey: 'simulated', maxRetries: 0 });

const worker = new Worker<OpenAI.ChatCompletionCreateParamsNonStreaming>(
  queueName,
  async (job) => openai.chat.completions.create(job.data),
  {
    connection,
    concurrency,
    limiter: { max: Number(process.env['LIMITER_MAX']), duration: 60_000 },
    settings: {
      backoffStrategy: (attempt) =>
        Math.round(Math.random() * Math.min(MOST_BACKOFF_MS, 1000 * 2 ** (attempt - 1))),
    },
  },
);
worker.on('error', (error) => {
  console.error(error);
});

await worker.waitUntilReady();
// What the bench waits for.
console.log('worker.ready');

process.once('SIGTERM', () => {
  void worker.close().then(() => process.exit(0));
});
