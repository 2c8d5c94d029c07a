import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  readonly path: string;
  write(line: string): void;
  /** Can be called twice; lines that come later are dropped. */
  close(): void;
}

const MOST_BYTES = 20_000_000;

/**
 * Appends lines to a file. One that grows beyond `mostBytes` becomes `PATH.old`, in place of the one before: a stack
 * that runs for months must not fill the disk with its logs.
 */
export function openLogFile(path: string, mostBytes: number = MOST_BYTES): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  let file = openSync(path, 'a');
  let bytes = statSync(path).size;
  let isOpen = true;
  return {
    path,
    write: (line) => {
      if (!isOpen) return;
      try {
        if (bytes >= mostBytes) {
          closeSync(file);
          renameSync(path, `${path}.old`);
          file = openSync(path, 'a');
          bytes = 0;
        }
        bytes += writeSync(file, `${line}\n`);
      } catch {
        // A full disk or a removed folder costs the line, not the stack.
      }
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(file);
    },
  };
}
