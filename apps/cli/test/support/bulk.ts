import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';
import { eventually, startStack, type Stack } from '@nightshift/local';
import { withoutOwnEnvironment } from './cli.ts';

const nightshiftBin = fileURLToPath(new URL('../../../../bin/nightshift', import.meta.url));

/** A whole Nightshift of its own on the Redis of this test run. */
export async function startBulkStack(
  prefix: string,
  env: Record<string, string> = {},
): Promise<Stack> {
  return await startStack({
    redisUrl: inject('redisUrl'),
    workers: 1,
    simulator: { args: ['--latency', '20'] },
    env: {
      NIGHTSHIFT_KEY_PREFIX: `${prefix}-${process.pid}`,
      NIGHTSHIFT_API_KEYS: undefined,
      NIGHTSHIFT_BLOBS: undefined,
      NIGHTSHIFT_CONFIG: undefined,
      ...env,
    },
  });
}

/** A command that a test started, its two outputs apart. */
export interface Bulk {
  stdout: () => string;
  stderr: () => string;
  /** Its progress lines so far. */
  progress: () => { status: string; request_counts: { completed: number } }[];
  says: (pattern: RegExp) => Promise<string>;
  signal: (name: NodeJS.Signals) => void;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

export interface BulkOptions {
  cwd: string;
  url?: string;
  env?: Record<string, string>;
  stdin?: string;
  /** In place of `bin/nightshift` and its arguments: what a shell is given. */
  shell?: string;
}

export function startBulk(args: readonly string[], options: BulkOptions): Bulk {
  const { cwd, url, env, stdin, shell } = options;
  const [command, all] =
    shell === undefined ? [nightshiftBin, args] : ['/bin/sh', ['-c', `exec ${shell}`]];
  const child = spawn(command, [...all], {
    cwd,
    env: { ...withoutOwnEnvironment(), ...(url !== undefined && { NIGHTSHIFT_URL: url }), ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {});
  child.stdin.end(stdin ?? '');
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    progress: () =>
      stderr
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as ReturnType<Bulk['progress']>[number]),
    says: async (pattern) =>
      await eventually(() => pattern.exec(stderr)?.[0], {
        timeoutMs: 30_000,
        describe: `${args.join(' ')} to say ${pattern}; it said ${stderr}`,
      }),
    signal: (name) => {
      child.kill(name);
    },
    ended,
  };
}

export const temporaryFiles = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.includes('.tmp'));

export function requestLine(customId: string, model = 'gpt-4o-mini'): string {
  const body = { model, messages: [{ role: 'user', content: `Say ${customId}.` }] };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body });
}

export const requestFile = (
  ids: readonly string[],
  modelOf: (id: string) => string | undefined = () => undefined,
): string => ids.map((id) => `${requestLine(id, modelOf(id))}\n`).join('');

export const idsUpTo = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `q-${n}`);

export interface ResultLine {
  custom_id: string;
  response: { status_code: number } | null;
  error: { code: string } | null;
}
export const resultsOf = (text: string): ResultLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
