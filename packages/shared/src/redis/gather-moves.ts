import { atEndOfTurn } from './end-of-turn.ts';
import type { RunScript, ScriptName } from './scripts.ts';

/** A script holds Redis while it runs: 64 moves are about a millisecond, and so is a megabyte. */
const MOST_MOVES = 64;
const MOST_LENGTH = 1_000_000;

type Values = readonly (string | number)[];

/** One job's part of a call. */
export interface Move {
  keys: readonly string[];
  args: Values;
  /** About how many bytes `args` are. */
  length: number;
}

/** A script that makes moves of one tenant: what all of them share comes first, then one part for each. */
export interface MovesScript {
  run: RunScript;
  name: ScriptName;
  shared: (tenant: string) => { keys: readonly string[]; args: Values };
}

export type MakeMove<Reply> = (tenant: string, move: Move) => Promise<Reply>;

interface Waiting {
  move: Move;
  resolve: (reply: never) => void;
  reject: (error: unknown) => void;
}

/**
 * Collects the moves of one turn of the event loop into one call of their script for each tenant: most of what a
 * script costs is the call. Waits no longer than the write of a single command would. Each caller gets its own
 * job's reply; when the call fails it fails for all of them, and each move can be made again.
 */
export function gatherMoves<Reply>(script: MovesScript): MakeMove<Reply> {
  let byTenant = new Map<string, Waiting[]>();
  const send = (): void => {
    const gathered = byTenant;
    byTenant = new Map();
    for (const [tenant, moves] of gathered) {
      for (const batch of batchesOf(moves)) void makeMoves(script, tenant, batch);
    }
  };
  return async (tenant, move) =>
    new Promise<Reply>((resolve, reject) => {
      if (byTenant.size === 0) atEndOfTurn('gather', send);
      const moves = byTenant.get(tenant);
      if (moves === undefined) byTenant.set(tenant, [{ move, resolve, reject }]);
      else moves.push({ move, resolve, reject });
    });
}

function* batchesOf(moves: readonly Waiting[]): Generator<readonly Waiting[]> {
  let from = 0;
  let length = 0;
  for (const [at, { move }] of moves.entries()) {
    if (at > from && (at - from === MOST_MOVES || length + move.length > MOST_LENGTH)) {
      yield moves.slice(from, at);
      from = at;
      length = 0;
    }
    length += move.length;
  }
  yield from === 0 ? moves : moves.slice(from);
}

async function makeMoves(
  { run, name, shared }: MovesScript,
  tenant: string,
  batch: readonly Waiting[],
): Promise<void> {
  const { keys, args } = shared(tenant);
  const allKeys = [...keys];
  const allArgs = [...args];
  for (const { move } of batch) {
    allKeys.push(...move.keys);
    allArgs.push(...move.args);
  }
  try {
    const replies = (await run(name, allKeys, allArgs)) as [string, string?][];
    for (const [at, { resolve, reject }] of batch.entries()) {
      const reply = replies[at];
      if (reply === undefined || reply[0] === 'broken') {
        reject(new Error(`${name}: ${reply?.[1] ?? 'no reply'}`));
      } else {
        resolve(reply as never);
      }
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
