/**
 * The algorithm of the cookbook's script for parallel requests (`api_request_parallel_processor`), from its
 * description: one process reads a file of requests and keeps the capacity of requests and tokens itself. Both start
 * full, fill continuously up to one minute's worth, and a request goes out when it fits into both. After a rate limit
 * error everything rests for 15 s; what failed goes into a queue that comes before the file, five attempts in all.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as send } from 'undici';

const LOOP_MS = 1;
const PAUSE_AFTER_REFUSAL_MS = 15_000;
const MOST_ATTEMPTS = 5;

interface Request {
  body: string;
  tokens: number;
  attemptsLeft: number;
}

const env = (name: string): string => process.env[name] ?? '';
const perMinute = { requests: Number(env('MAX_REQUESTS')), tokens: Number(env('MAX_TOKENS')) };
const url = `${env('OPENAI_BASE_URL')}/chat/completions`;
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

const fresh = readFileSync(env('REQUESTS'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): Request => ({
    ...(JSON.parse(line) as { body: string; tokens: number }),
    attemptsLeft: MOST_ATTEMPTS,
  }))
  .toReversed();
const again: Request[] = [];
const capacity = { ...perMinute };
const counts = { completed: 0, lost: 0 };
let inProgress = 0;
let filledAtMs = performance.now();
let refusedAtMs = -Infinity;

function fill(): void {
  const nowMs = performance.now();
  const minutes = (nowMs - filledAtMs) / 60_000;
  filledAtMs = nowMs;
  for (const unit of ['requests', 'tokens'] as const) {
    capacity[unit] = Math.min(perMinute[unit], capacity[unit] + perMinute[unit] * minutes);
  }
}

async function call(request: Request): Promise<void> {
  let succeeded = false;
  try {
    const answer = await send(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer simulated' },
      body: request.body,
    });
    await answer.body.text();
    succeeded = answer.statusCode === 200;
    if (answer.statusCode === 429) refusedAtMs = performance.now();
  } catch {
    // Counts like any other error.
  }
  if (succeeded) counts.completed += 1;
  else if (request.attemptsLeft > 0) again.push(request);
  else counts.lost += 1;
  inProgress -= 1;
}

// Its output is all that the bench knows of it: it waits for the second line and reads the last of the first.
const report = (): void => console.log(`cookbook.progress ${JSON.stringify(counts)}`);
setInterval(report, 500);
console.log('cookbook.ready');

let next: Request | undefined;
for (;;) {
  next ??= again.shift() ?? fresh.pop();
  fill();
  if (next && capacity.requests >= 1 && capacity.tokens >= next.tokens) {
    capacity.requests -= 1;
    capacity.tokens -= next.tokens;
    next.attemptsLeft -= 1;
    inProgress += 1;
    void call(next);
    next = undefined;
  }
  if (!next && inProgress === 0 && again.length === 0 && fresh.length === 0) break;
  await sleep(LOOP_MS);
  const restMs = PAUSE_AFTER_REFUSAL_MS - (performance.now() - refusedAtMs);
  if (restMs > 0) await sleep(restMs);
}
// Stays until it is ended: its CPU time is still to be read.
report();
