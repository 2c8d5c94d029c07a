import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@nightshift/local';
import { afterEach, describe, expect, it } from 'vitest';
import { createEngineQueue, noEngineQueue, waitingOf } from '../../src/pacing/engine-queue.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function startEngine(answer: RequestListener) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const queue = createEngineQueue(url, 'llama', { isConfigured: true });
  ends.push(async () => queue.close());
  return { url, queue, asked: () => asked };
}

/** The page is fetched behind the caller's back: looks again at the same instant until something is known. */
const told = async (queue: ReturnType<typeof createEngineQueue>, nowMs: number) =>
  eventually(() => queue.look(nowMs) ?? undefined);

const page = (waiting: number): string =>
  `# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{model_name="llama"} ${waiting}.0\n`;

describe('the queue of an engine', () => {
  it('is what its page tells, asked for twice a second and forgotten after three', async () => {
    let waiting = 7;
    const { queue, asked } = await startEngine((_request, response) => response.end(page(waiting)));
    expect(queue.isKnown).toBe(false);
    expect(await told(queue, 1000)).toBe(7);
    expect(queue.isKnown).toBe(true);
    waiting = 9;
    for (let look = 0; look < 20; look += 1) expect(queue.look(1400)).toBe(7);
    expect(asked()).toBe(1);
    queue.look(1500);
    await eventually(() => queue.look(1501) === 9);
    expect(queue.look(9000)).toBeNull();
  });

  it('is asked for again soon by an engine that told it before and fails now', async () => {
    let works = true;
    const { queue, asked } = await startEngine((_request, response) => {
      response.statusCode = works ? 200 : 502;
      response.end(works ? page(3) : 'starting');
    });
    await told(queue, 0);
    works = false;
    queue.look(1000);
    await eventually(() => asked() === 2);
    works = true;
    // The failed answer may be read a moment after it was sent.
    await eventually(() => {
      queue.look(5000);
      return asked() === 3;
    });
    expect(await told(queue, 5000)).toBe(3);
  });

  it.each<[string, RequestListener]>([
    ['has no such page', (_request, response) => response.writeHead(404).end('no')],
    ['has a page without the metric', (_request, response) => response.end('up 1\n')],
    [
      'points elsewhere',
      (request, response) =>
        request.url === '/metrics'
          ? response.writeHead(302, { location: '/other' }).end()
          : response.end(page(5)),
    ],
    ['hangs up', (request) => request.socket.destroy()],
    [
      'has a page without end',
      (_request, response) => {
        const line = 'x'.repeat(1_000_000);
        const more = (): void => {
          if (!response.destroyed) response.write(line, () => setImmediate(more));
        };
        more();
      },
    ],
    ['never answers', () => undefined],
    [
      'answers a byte at a time',
      (_request, response) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write('#'), 100);
        response.on('close', () => clearInterval(drip));
      },
    ],
  ])('of a server that %s is not known, and it is left alone', async (_what, answer) => {
    let ended = 0;
    const { queue, asked } = await startEngine((request, response) => {
      request.socket.once('close', () => (ended += 1));
      response.once('finish', () => (ended += 1));
      answer(request, response);
    });
    expect(queue.look(0)).toBeNull();
    // Given up: within its two seconds at the latest.
    await eventually(() => ended > 0, { timeoutMs: 5000 });
    await eventually(() => queue.look(299_000) === null);
    for (let look = 0; look < 5; look += 1) queue.look(299_000);
    expect(asked()).toBe(1);
    expect(queue.isKnown).toBe(false);
    await eventually(() => {
      queue.look(301_000);
      return asked() === 2;
    });
  });

  it('closes while a page is on its way', async () => {
    const { queue, asked } = await startEngine(() => undefined);
    queue.look(0);
    await eventually(() => asked() === 1);
    await queue.close();
    expect(queue.look(0)).toBeNull();
  });

  it('is unknown where nobody is asked', async () => {
    expect(noEngineQueue.look(0)).toBeNull();
    await noEngineQueue.close();
  });
});

describe('the page', () => {
  const line = (labels: string, value: string) => `vllm:num_requests_waiting${labels} ${value}`;

  it.each([
    ['one engine', line('{model_name="m"}', '4.0'), 4],
    [
      'several engines',
      `${line('{engine="0",model_name="m"}', '4')}\n${line('{engine="1",model_name="m"}', '5')}`,
      9,
    ],
    [
      'another model beside it',
      `${line('{model_name="m"}', '4')}\n${line('{model_name="n"}', '50')}`,
      4,
    ],
    [
      'a name that begins alike',
      `${line('{model_name="m"}', '4')}\n${line('{model_name="m-large"}', '50')}`,
      4,
    ],
    [
      'a label that ends alike',
      `${line('{base_model_name="m",model_name="lora"}', '50')}\n${line('{model_name="m"}', '4')}`,
      4,
    ],
    ['only other names', `${line('{model_name="a"}', '1')}\n${line('{model_name="b"}', '2')}`, 3],
    ['no labels', line('', '6'), 6],
    ['a large number', line('{model_name="m"}', '1.2e+03'), 1200],
    ['a line with a time', line('{model_name="m"}', '3 1700000000000'), 3],
    ['line ends of Windows', `${line('{model_name="m"}', '3')}\r\n`, 3],
    ['no number', line('{model_name="m"}', 'NaN'), null],
    ['another metric', 'vllm:num_requests_waiting_total{model_name="m"} 3', null],
    ['nothing', '', null],
  ])('of %s', (_what, text, waiting) => {
    expect(waitingOf(text, 'm')).toBe(waiting);
  });

  it.each(['meta-llama/Llama-3.1-8B', 'a.b+c(d)[e]', 'x\\y'])('knows the name %s', (model) => {
    const own = line(`{model_name="${model.replaceAll('\\', '\\\\')}"}`, '4');
    expect(waitingOf(`${own}\n${line('{model_name="other"}', '50')}`, model)).toBe(4);
  });
});

it('asks nobody who does not look like an engine, unless told to', async () => {
  const { url, asked } = await startEngine((_request, response) => {
    response.end('vllm:num_requests_waiting{model_name="m"} 3\n');
  });
  const queue = createEngineQueue(url, 'm', { isConfigured: false });
  ends.push(async () => queue.close());
  const answerOf = (server: string) => ({
    get: (name: string) => (name === 'server' ? server : null),
  });
  queue.notice(answerOf('nginx'));
  expect(queue.look(0)).toBeNull();
  queue.notice(answerOf('uvicorn'));
  await eventually(() => queue.look(0) === 3);
  expect(asked()).toBe(1);
});
