import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CommandLine } from '../command-line.ts';
import type { JoinedRows } from '../output/result-table.ts';
import { planInput } from './plan.ts';
import { prepareInput, type BulkInput } from './prepare.ts';

/** An input that a command names, before it was read. */
export interface NamedInput {
  /** `-` is the standard input. */
  name: string;
  /** Whether the same name will lead to the same content again: not for a pipe. */
  isFile: boolean;
  /** The table that the requests are made of, or null for requests as they are. */
  rows: JoinedRows | null;
  /** Reads all of it and looks at it. @throws InputProblem */
  prepare(signal: AbortSignal): Promise<BulkInput>;
  /** Removes what was kept of a pipe. Can be called twice. */
  dispose(): Promise<void>;
}

/** What comes through a pipe is kept in a file, since it is read twice. @throws UsageError */
export function nameInput(line: CommandLine): NamedInput {
  const [name = '-'] = line.words;
  const isFile = name !== '-' && !isPipe(name);
  const path = isFile ? name : join(tmpdir(), `nightshift-input-${randomUUID()}.tmp`);
  const plan = planInput(line, name, path);
  return {
    name,
    isFile,
    rows: plan.kind === 'table' ? { source: plan.source, idColumn: plan.recipe.idColumn } : null,
    prepare: async (signal) => {
      if (!isFile) {
        const source = name === '-' ? process.stdin : createReadStream(name);
        await pipeline(source, createWriteStream(path, { mode: 0o600 }), { signal });
      }
      return await prepareInput(plan);
    },
    dispose: async () => {
      if (!isFile) await rm(path, { force: true });
    },
  };
}

function isPipe(name: string): boolean {
  const found = statSync(name, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}
