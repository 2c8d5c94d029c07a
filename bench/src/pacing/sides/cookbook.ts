import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess, type Child } from '@nightshift/local';
import type { PacingSide, PacingSideOptions } from './side.ts';

const program = new URL('../../baseline/cookbook.ts', import.meta.url);

/** The cookbook's script: one process, a file, the exact limits and the exact charge of every request. */
export async function startCookbook(options: PacingSideOptions): Promise<PacingSide> {
  const { limits } = options.regime;
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  const file = join(folder, 'requests.jsonl');
  let script: Child | null = null;
  const progress = { completed: 0, lost: 0 };
  return {
    name: 'cookbook',
    preload: async (jobs) => {
      const lines = jobs.map(({ body, chargedTokens }) =>
        JSON.stringify({ body: JSON.stringify(body), tokens: chargedTokens }),
      );
      await writeFile(file, `${lines.join('\n')}\n`);
    },
    startWorkers: async () => {
      script = await startProcess({
        bin: process.execPath,
        command: fileURLToPath(program),
        env: {
          REQUESTS: file,
          OPENAI_BASE_URL: options.providerUrl,
          MAX_REQUESTS: String(limits.requestsPerMinute),
          MAX_TOKENS: String(limits.tokensPerMinute),
        },
        readyWhen: /^cookbook\.ready$/,
        onLine: (line) => {
          const [, counts] = /^cookbook\.progress (.*)$/.exec(line) ?? [];
          if (counts !== undefined) Object.assign(progress, JSON.parse(counts));
        },
      });
    },
    submit: null,
    progress: async () => ({ ...progress, commands: 0 }),
    pids: () => (script === null ? {} : { workers: [script.pid] }),
    redisUrl: null,
    metricsUrls: () => [],
    restMs: 0,
    stop: async () => {
      await script?.kill9();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
