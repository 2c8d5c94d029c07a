// One pass over the file in a process of its own: `one-pass.ts SIDE PATH ENDPOINT`. Prints what it took as JSON.
import { createReadStream } from 'node:fs';
import { validateInput } from '@nightshift/shared/batch';
import type { Endpoint } from '@nightshift/shared/job';

export interface Pass {
  ms: number;
  /** The most that resident memory stood above what it was at the beginning. */
  memoryRiseBytes: number;
  lines: number;
}

/** What anybody would write at first, without a line reader that costs more than the parse. */
async function bare(path: string): Promise<number> {
  let lines = 0;
  let rest: Buffer | null = null;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, end);
      const line: Buffer = rest === null ? piece : Buffer.concat([rest, piece]);
      if (typeof JSON.parse(line.toString()) === 'object') lines += 1;
      rest = null;
      from = end + 1;
    }
    const piece = chunk.subarray(from);
    rest = rest === null ? piece : Buffer.concat([rest, piece]);
  }
  return lines;
}

async function validated(path: string, endpoint: Endpoint): Promise<number> {
  const limits = { requests: 10_000_000, lineBytes: 1_048_576 };
  let lines = 0;
  for await (const result of validateInput(createReadStream(path), { endpoint, limits })) {
    if (result.kind === 'error') throw new Error(`line ${result.line}: ${result.message}`);
    lines += 1;
  }
  return lines;
}

const [side, path = '', endpoint] = process.argv.slice(2);
const before = process.memoryUsage.rss();
const startedAt = performance.now();
const lines = side === 'bare' ? await bare(path) : await validated(path, endpoint as Endpoint);
const ms = performance.now() - startedAt;
// In kilobytes, the highest so far.
const most = process.resourceUsage().maxRSS * 1024;
const pass: Pass = { ms, memoryRiseBytes: Math.max(0, most - before), lines };
console.log(JSON.stringify(pass));
