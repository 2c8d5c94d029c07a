import { connect } from 'node:net';
import { eventually } from '@nightshift/local';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { ANSWER, completed, createTestApi, type TestApi } from '../support/api.ts';
import { parseStream } from '../support/sse.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(inject('redisUrl'), { heartbeatMs: 40 });
});
afterEach(async () => {
  await api.close();
});

const followed = async (count = 1) => eventually(() => api.eventHub.followers() === count);

it('streams each change as it happens, and ends with the whole job', async () => {
  const { id } = await api.submit();
  const streaming = api.get(`/v1/jobs/${id}/events`);
  await followed();
  const claim = await api.begin(id);
  await api.attempts.release(claim, {
    reason: null,
    message: '',
    delayMs: null,
    charged: false,
    detail: 'handed_off',
  });
  await api.complete(id);
  const answer = await streaming;
  expect(answer.statusCode).toBe(200);
  expect(answer.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    'x-request-id': expect.stringMatching(/^req_/),
  });
  const { events } = parseStream(answer.body);
  expect(events.map(({ id: seq, event }) => [seq, event])).toEqual([
    [1, 'job.queued'],
    [2, 'job.in_progress'],
    [3, 'job.queued'],
    [4, 'job.in_progress'],
    [5, 'job.completed'],
  ]);
  expect(events[2]?.data).toMatchObject({
    object: 'job.event',
    type: 'job.queued',
    sequence: 3,
    detail: 'handed_off',
    created_at: expect.any(Number),
    job: { id, status: 'queued', attempts: 0, waiting_for: null },
  });
  // The provider's answer is indented: its line breaks must not break the stream.
  expect(ANSWER).toContain('\n');
  expect(events[4]?.data.job).toEqual((await api.get(`/v1/jobs/${id}`)).json());
  expect(api.eventHub.followers()).toBe(0);
});

it('resumes after the last event that was seen', async () => {
  const { id } = await api.submit();
  await api.complete(id);
  const url = `/v1/jobs/${id}/events`;
  const ids = async (path: string, headers = {}) =>
    parseStream((await api.get(path, headers)).body).events.map((event) => event.id);
  expect(await ids(url)).toEqual([1, 2, 3]);
  expect(await ids(url, { 'last-event-id': '' })).toEqual([1, 2, 3]);
  expect(await ids(url, { 'last-event-id': '1' })).toEqual([2, 3]);
  expect(await ids(`${url}?after=2`)).toEqual([3]);
  expect(await ids(`${url}?after=0`, { 'last-event-id': '2' })).toEqual([3]);
  const over = await api.get(url, { 'last-event-id': '3' });
  expect(over.statusCode).toBe(204);
  const odd = await api.get(url, { 'last-event-id': 'three' });
  expect(odd.statusCode).toBe(400);
  expect(odd.json()).toMatchObject({ error: { param: 'Last-Event-ID' } });
});

it('keeps a quiet stream alive, and sees what no message told of', async () => {
  const { id } = await api.submit();
  const streaming = api.get(`/v1/jobs/${id}/events`);
  await followed();
  // A message that is lost: nobody hears of it, and the next heartbeat reads the log.
  await api.listening.unsubscribe(api.keys.channels.events);
  await api.complete(id);
  const { events, comments } = parseStream((await streaming).body);
  expect(events.at(-1)?.event).toBe('job.completed');
  expect(comments).toBeGreaterThan(0);
});

it('answers HEAD and ends with the process', async () => {
  const { id } = await api.submit();
  const url = `/v1/jobs/${id}/events`;
  const head = await api.app.inject({ method: 'HEAD', url });
  expect(head.statusCode).toBe(200);
  expect(head.headers['content-type']).toContain('text/event-stream');
  const streaming = api.get(url);
  await followed();
  api.eventHub.finishAll();
  expect(parseStream((await streaming).body).events.map(({ event }) => event)).toEqual([
    'job.queued',
  ]);
});

it('lets go of a reader who hangs up', async () => {
  const { id } = await api.submit();
  const url = await api.listen();
  const abort = new AbortController();
  const streaming = await fetch(`${url}/v1/jobs/${id}/events`, { signal: abort.signal });
  expect(streaming.status).toBe(200);
  await followed();
  abort.abort();
  await followed(0);
});

it('gives a large answer to a reader who is slow to take it', async () => {
  const { id } = await api.submit();
  const claim = await api.begin(id);
  const url = new URL(await api.listen());
  const socket = connect(Number(url.port), '127.0.0.1');
  socket.pause();
  socket.write(`GET /v1/jobs/${id}/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  await followed();
  const answer = JSON.stringify({ text: 'x'.repeat(8_000_000) });
  await api.attempts.settle(claim, {
    ...completed,
    response: { statusCode: 200, requestId: null, body: answer },
  });
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.resume();
  await eventually(() => received.endsWith('0\r\n\r\n'), { timeoutMs: 20_000 });
  expect(received).toContain('event: job.completed');
  expect(received.length).toBeGreaterThan(8_000_000);
  socket.destroy();
});
