import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * Sends bytes as fast as they are taken. Their beginning is read before the answer begins, so that what cannot be read is
 * still an error in the envelope; a failure further on cuts the connection.
 */
export async function sendBytes(
  reply: FastifyReply,
  source: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<FastifyReply> {
  const first = await source.next();
  const stream = Readable.from(resumed(first, source), { objectMode: false });
  // One that is destroyed before it is read from never gets into the generator.
  stream.once('close', () => void source.return());
  return reply.send(stream);
}

async function* resumed(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
