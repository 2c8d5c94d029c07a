/**
 * The tutorial's way, second half: a BullMQ worker that hands each job's data to the `openai` SDK and returns what
 * comes back. The SDK is used as installed: its default fetch, time-outs and retries.
 */
import { Worker } from 'bullmq';
import OpenAI from 'openai';
import { readBaselineSettings } from './settings.ts';

const { queueName, connection, concurrency, baseURL } = readBaselineSettings();

const openai = new OpenAI({ baseURL, apiKey: 'simulated' });

const worker = new Worker<OpenAI.ChatCompletionCreateParamsNonStreaming>(
  queueName,
  async (job) => openai.chat.completions.create(job.data),
  { connection, concurrency },
);
worker.on('error', (error) => {
  console.error(error);
});

await worker.waitUntilReady();
console.log('worker.ready');

process.once('SIGTERM', () => {
  void worker.close().then(() => process.exit(0));
});
