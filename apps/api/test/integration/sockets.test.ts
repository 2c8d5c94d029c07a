import { connect, type Socket } from 'node:net';
import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let port: number;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'), {
    arrival: { requestMs: 400, headersMs: 300, checkEveryMs: 50 },
    config: { limits: { job_body_bytes: 10_000 } },
  });
  port = Number(new URL(await api.listen()).port);
});
afterAll(async () => {
  await api.close();
});

interface Conversation {
  socket: Socket;
  text: () => string;
  isClosed: () => boolean;
}

function converse(): Conversation {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  return { socket, text: () => received, isClosed: () => isClosed };
}

/** What comes back until the other side closes. */
async function answerTo(text: string): Promise<string> {
  const { socket, text: received, isClosed } = converse();
  socket.write(text);
  await eventually(isClosed);
  return received();
}

const HOST = 'host: 127.0.0.1\r\n';
const CLOSE = `${HOST}connection: close\r\n`;

it.each([
  ['no HTTP', 'hello there\r\n\r\n', 400, 'bad_request'],
  ['an unknown method', `BREW /v1/jobs HTTP/1.1\r\n${HOST}\r\n`, 400, 'bad_request'],
  ['no host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'bad_request'],
  ['a method without a path', `OPTIONS * HTTP/1.1\r\n${CLOSE}\r\n`, 404, 'unknown_url'],
  ['a path of nothing', `GET /%00 HTTP/1.1\r\n${CLOSE}\r\n`, 404, 'unknown_url'],
  [
    'an odd expectation',
    `GET /v1/nothing HTTP/1.1\r\n${CLOSE}expect: a miracle\r\n\r\n`,
    404,
    'unknown_url',
  ],
  ['a header without a colon', `GET / HTTP/1.1\r\n${HOST}broken\r\n\r\n`, 400, 'bad_request'],
  [
    'two lengths',
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-length: 5\r\ncontent-length: 6\r\n\r\n`,
    400,
    'bad_request',
  ],
  [
    '64 KB of headers',
    `GET / HTTP/1.1\r\n${HOST}x-large: ${'x'.repeat(65_536)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['headers that never end', `GET / HTTP/1.1\r\n${HOST}x-slow: `, 408, 'request_timeout'],
  [
    'a body that never comes',
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    408,
    'request_timeout',
  ],
])('answers %s in the envelope and closes', async (_name, text, status, code) => {
  const answer = await answerTo(text);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/\r\nx-request-id: req_[0-9a-f]{32}\r\n/);
  expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({
    error: { code },
  });
});

it('lets the sender of a body that is too large read why, and goes on with the connection', async () => {
  const { socket, text } = converse();
  const size = 3_000_000;
  socket.write(
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-type: application/json\r\ncontent-length: ${size}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(size, 'x'));
  await eventually(() => text().includes('body_too_large'));
  expect(text()).toMatch(/^HTTP\/1.1 413 /);
  socket.write(`GET /livez HTTP/1.1\r\n${HOST}\r\n`);
  await eventually(() => text().includes('HTTP/1.1 200 '));
  socket.destroy();
});

it('does the same for one that comes in chunks', async () => {
  const { socket, text } = converse();
  socket.write(
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  for (let n = 0; n < 20; n += 1) socket.write(chunk);
  socket.write('0\r\n\r\n');
  await eventually(() => text().includes('body_too_large'));
  socket.write(`GET /livez HTTP/1.1\r\n${HOST}\r\n`);
  await eventually(() => text().includes('HTTP/1.1 200 '));
  socket.destroy();
});

it('ends a connection whose refused body never ends', async () => {
  const { socket, text, isClosed } = converse();
  socket.write(
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-type: application/json\r\ncontent-length: 3000000\r\n\r\n`,
  );
  await eventually(() => text().includes('body_too_large'));
  await eventually(isClosed);
  expect(text()).not.toContain('request_timeout');
});

it('stores nothing of a body whose sender hangs up half-way', async () => {
  const before = await api.allKeys();
  const { socket, isClosed } = converse();
  socket.end(
    `POST /v1/jobs HTTP/1.1\r\n${HOST}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"body":{"model":"m"}}`,
  );
  await eventually(isClosed);
  expect(await api.allKeys()).toEqual(before);
});

it('answers two requests on one connection in their order', async () => {
  const { socket, text } = converse();
  socket.write(`GET /livez HTTP/1.1\r\n${HOST}\r\nGET /v1/nothing HTTP/1.1\r\n${HOST}\r\n`);
  await eventually(() => text().includes('unknown_url'));
  expect(text().indexOf('200 OK')).toBeLessThan(text().indexOf('404 Not Found'));
  socket.destroy();
});
