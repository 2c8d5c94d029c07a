/**
 * How many calls per second one core serves, at zero latency, over keep-alive connections. Run it
 * with the simulator on one core and this on another:
 *
 *   taskset -c 0 bin/nightshift simulator &
 *   taskset -c 1 node --conditions=source apps/simulator/test/load/calls-per-second.ts 4000
 *
 * The client writes raw HTTP, so that it does not become what is measured.
 */
import { connect } from 'node:net';

const port = Number(process.argv[2] ?? 4000);
const connections = Number(process.argv[3] ?? 64);
const seconds = Number(process.argv[4] ?? 8);
const model = process.argv[5] ?? 'gpt-4o-mini';

let sent = 0;
let answered = 0;
let refused = 0;
const statsUrl = `http://127.0.0.1:${port}/_simulator/stats`;

function nextRequest(): string {
  sent += 1;
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: `Say something about number ${sent}.` }],
    metadata: { marker: `job_${sent}` },
  });
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

async function drive(untilMs: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let pending = '';
  return new Promise((resolve, reject) => {
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(nextRequest()));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      pending += String(chunk);
      const head = pending.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(pending)?.[1]);
      if (pending.length < head + 4 + length) return;
      answered += 1;
      if (!pending.startsWith('HTTP/1.1 200')) refused += 1;
      pending = '';
      if (performance.now() < untilMs) socket.write(nextRequest());
      else {
        socket.end();
        resolve();
      }
    });
  });
}

async function measure(durationMs: number): Promise<number> {
  const startedAtMs = performance.now();
  answered = 0;
  const until = startedAtMs + durationMs;
  await Promise.all(Array.from({ length: connections }, () => drive(until)));
  return (answered / (performance.now() - startedAtMs)) * 1000;
}

await measure(2000);
refused = 0;
const perSecond = await measure(seconds * 1000);
const stats = (await (await fetch(statsUrl)).json()) as { calls: number };
console.log(
  JSON.stringify({
    connections,
    seconds,
    per_second: Math.round(perSecond),
    refused,
    calls: stats.calls,
  }),
);
