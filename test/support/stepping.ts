import { fileURLToPath } from 'node:url';
import type { Child } from '@nightshift/local';
import type { BatchStage } from './batch-stage.ts';

const program = fileURLToPath(
  new URL('../../apps/worker/test/stepping/stepping-worker.ts', import.meta.url),
);

/**
 * Starts a worker that sends itself a signal at a step (`apps/worker/test/stepping/steps.ts`), and waits until it has. It
 * conducts only the batch that is named.
 */
export async function strikeAt(
  { stack }: BatchStage,
  batchId: string,
  { step, moment, signal }: { step: string; moment: string; signal: 'SIGKILL' | 'SIGSTOP' },
): Promise<Child> {
  const worker = await stack.startWorker(
    {},
    {
      bin: process.execPath,
      command: '--conditions=source',
      args: [program, batchId, step, moment, signal],
    },
  );
  await worker.waitForLine(/^struck /, 60_000);
  return worker;
}
