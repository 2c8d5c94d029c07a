import { readFileSync } from 'node:fs';
import type { RedisConnection } from './connect.ts';

const folder = new URL('../../lua/', import.meta.url);

/** The scripts of `lua/`; each file's first comment is its contract. */
const names = [
  'accept-job',
  'begin-attempt',
  'settle-job',
  'release-job',
  'cancel-job',
  'expire-job',
  'take-due',
  'list-jobs',
  'register-lane',
  'read-lane',
  'cool-lane',
  'pause-lane',
  'take-probe',
  'open-lane',
  'pace-lane',
  'share-lane',
  'create-batch',
  'cancel-batch',
  'pause-batch',
  'take-batch',
  'begin-batch',
  'feed-lines',
  'skip-lines',
  'commit-results',
  'finalize-batch',
  'finish-batch',
  'retire-batches',
  'create-file',
  'remove-file',
  'list-files',
  'expire-files',
  'create-upload',
  'read-upload',
  'add-part',
  'complete-upload',
  'cancel-upload',
] as const;
type ScriptName = (typeof names)[number];

/** Runs a script by name: sent by its hash, loaded again by itself after a restart or a SCRIPT FLUSH. */
export type RunScript = (
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

type DefinedCommand = (keyCount: number, ...rest: (string | number)[]) => Promise<unknown>;

export function loadScripts(connection: RedisConnection): RunScript {
  const commands = new Map<ScriptName, DefinedCommand>();
  for (const name of names) {
    const command = `nightshift_${name.replaceAll('-', '_')}`;
    connection.defineCommand(command, { lua: readScript(name) });
    const defined = (connection as unknown as Record<string, DefinedCommand>)[command];
    if (defined === undefined) throw new Error(`script ${name} could not be defined`);
    commands.set(name, defined.bind(connection));
  }
  return async (name, keys, args) => {
    const command = commands.get(name);
    if (command === undefined) throw new Error(`unknown script ${name}`);
    return command(keys.length, ...keys, ...args);
  };
}

/** The text of a script, with each `--#include lib/NAME` replaced by that file. */
export function readScript(name: string): string {
  const text = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  return text.replaceAll(/^--#include (\S+)$/gm, (_line, path: string) =>
    readFileSync(new URL(`${path}.lua`, folder), 'utf8'),
  );
}
