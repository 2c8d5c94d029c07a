import { readFileSync } from 'node:fs';
import type { RedisConnection } from './connect.ts';
import { defineScript, type Script } from './script.ts';

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
  'redeliver-jobs',
  'delete-job',
  'hold-answer',
  'list-jobs',
  'register-lane',
  'read-lane',
  'add-calls',
  'cool-lane',
  'pause-lane',
  'take-probe',
  'open-lane',
  'fail-lane',
  'answer-lane',
  'pace-lane',
  'read-pace',
  'note-lane',
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
  'swap-logged',
  'take-turn',
  'hold-up-batch',
  'read-open-lines',
  'create-file',
  'remove-file',
  'list-files',
  'expire-files',
  'create-upload',
  'read-upload',
  'add-part',
  'complete-upload',
  'cancel-upload',
  'beat-worker',
  'forget-worker',
  'read-workers',
] as const;
type ScriptName = (typeof names)[number];

/** Runs a script by name. */
export type RunScript = (
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

export function loadScripts(connection: RedisConnection): RunScript {
  const scripts = Object.fromEntries(
    names.map((name) => [name, defineScript(connection, readScript(name))]),
  ) as Record<ScriptName, Script>;
  return async (name, keys, args) => scripts[name](keys, args);
}

/** The text of a script, with each `--#include lib/NAME` replaced by that file. */
export function readScript(name: string): string {
  const text = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  return text.replaceAll(/^--#include (\S+)$/gm, (_line, path: string) =>
    readFileSync(new URL(`${path}.lua`, folder), 'utf8'),
  );
}
