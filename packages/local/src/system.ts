import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a command printed and how it ended; `code` 127 when there is no such command. */
interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  timeoutMs?: number;
  env?: Record<string, string>;
  cwd?: string;
}

/** The machine, as far as finding a Redis needs it; tests hand in a made-up one. */
export interface System {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  isRoot: boolean;
  /** Absolute path of a program on the PATH, or null. */
  which(name: string): string | null;
  /** Runs a program to its end. Never rejects. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/** This machine. Reads PATH anew at every look, since an installation may add to it. */
export function thisSystem(env: NodeJS.ProcessEnv = process.env): System {
  return {
    env,
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    which: (name) =>
      (env['PATH'] ?? '')
        .split(delimiter)
        .filter((dir) => dir !== '')
        .map((dir) => join(dir, name))
        .find(isProgram) ?? null,
    run: async (command, args, options = {}) =>
      await new Promise((resolve) => {
        const child = execFile(
          command,
          [...args],
          {
            encoding: 'utf8',
            env: { ...env, ...options.env },
            timeout: options.timeoutMs ?? 0,
            maxBuffer: 64 * 1024 * 1024,
            ...(options.cwd !== undefined && { cwd: options.cwd }),
          },
          (error, stdout, stderr) => resolve({ code: exitCode(error), stdout, stderr }),
        );
        child.stdin?.end();
      }),
  };
}

function exitCode(error: (Error & { code?: number | string | null; killed?: boolean }) | null) {
  if (!error) return 0;
  if (typeof error.code === 'number') return error.code;
  return error.code === 'ENOENT' ? 127 : 1;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
