import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Endpoint } from '@nightshift/shared/job';
import type { Pass } from './one-pass.ts';

const onePass = fileURLToPath(new URL('one-pass.ts', import.meta.url));
const run = promisify(execFile);

/** One pass over a file in a process of its own. */
export async function runPass(
  side: 'bare' | 'validate',
  path: string,
  endpoint: Endpoint,
  lines: number,
): Promise<Pass> {
  const { stdout } = await run(process.execPath, [
    '--conditions=source',
    onePass,
    side,
    path,
    endpoint,
  ]);
  const pass = JSON.parse(stdout) as Pass;
  if (pass.lines !== lines) throw new Error(`${side} read ${pass.lines} of ${lines} lines`);
  return pass;
}
