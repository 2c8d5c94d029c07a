/**
 * The tutorial's way, first half: a route that adds its body to a BullMQ queue. Nothing is tuned: options, job
 * retention and connection are what the libraries do by themselves.
 */
import { Queue } from 'bullmq';
import Fastify from 'fastify';
import { readBaselineSettings } from './settings.ts';

const { queueName, connection, port } = readBaselineSettings();

const queue = new Queue(queueName, { connection });
const app = Fastify();

app.post('/jobs', async (request, reply) => {
  const job = await queue.add('completion', request.body);
  return reply.code(202).send({ id: job.id });
});

await app.listen({ host: '127.0.0.1', port });
console.log('api.ready');

process.once('SIGTERM', () => {
  void app
    .close()
    .then(async () => queue.close())
    .then(() => process.exit(0));
});
