import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
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
  /** The table that the requests are made of, or null for requests as they are. */
  rows: JoinedRows | null;
  /** Reads all of it and looks at it. @throws InputProblem */
  prepare(signal: AbortSignal): Promise<BulkInput>;
  /** Removes what was kept of the standard input. Can be called twice. */
  dispose(): Promise<void>;
}

/** What comes through the standard input is kept in a file, since it is read twice. @throws UsageError */
export function nameInput(line: CommandLine): NamedInput {
  const [name = '-'] = line.words;
  const spool = name === '-' ? join(tmpdir(), `nightshift-input-${randomUUID()}.tmp`) : null;
  const plan = planInput(line, name, spool ?? name);
  return {
    name,
    rows: plan.kind === 'table' ? { source: plan.source, idColumn: plan.recipe.idColumn } : null,
    prepare: async (signal) => {
      if (spool !== null) {
        await pipeline(process.stdin, createWriteStream(spool, { mode: 0o600 }), { signal });
      }
      return await prepareInput(plan);
    },
    dispose: async () => {
      if (spool !== null) await rm(spool, { force: true });
    },
  };
}
