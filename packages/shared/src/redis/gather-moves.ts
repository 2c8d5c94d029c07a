import { atEndOfTurn, type Stage } from './end-of-turn.ts';

/** A script holds Redis while it runs: 64 moves are about a millisecond, and so is a megabyte. */
const MOST_MOVES = 64;
const MOST_LENGTH = 1_000_000;

export type Values = readonly (string | number | Buffer | undefined)[];

/** One job's part of a call. */
export interface Move {
  keys: readonly string[];
  args: Values;
  /** About how many bytes `args` are. */
  length: number;
}

/** A script that makes moves of one group: what all of them share comes first, then one part for each. */
export interface MovesScript {
  /** For errors. */
  name: string;
  call: (keys: string[], args: Values[number][]) => Promise<unknown>;
  shared: (group: string) => { keys: readonly string[]; args: Values };
  mostMoves?: number;
  /** `record`: before the moves of other scripts that the same turn has asked for. */
  stage?: Exclude<Stage, 'write'>;
}

/** A group is what may stand in one call: the moves of one tenant, since all keys of a call lie in one slot. */
export type MakeMove<Reply> = (group: string, move: Move) => Promise<Reply>;

interface Waiting {
  move: Move;
  resolve: (reply: never) => void;
  reject: (error: unknown) => void;
}

/**
 * Collects the moves of one turn of the event loop into one call of their script for each group: most of what a
 * script costs is the call. Waits no longer than the write of a single command would. Each caller gets its own
 * job's reply; when the call fails it fails for all of them, and each move can be made again.
 */
export function gatherMoves<Reply>(script: MovesScript): MakeMove<Reply> {
  const { mostMoves = MOST_MOVES, stage = 'gather' } = script;
  let byGroup = new Map<string, Waiting[]>();
  const send = (): void => {
    const gathered = byGroup;
    byGroup = new Map();
    for (const [group, moves] of gathered) {
      for (const batch of batchesOf(moves, mostMoves)) void makeMoves(script, group, batch);
    }
  };
  return async (group, move) =>
    new Promise<Reply>((resolve, reject) => {
      if (byGroup.size === 0) atEndOfTurn(stage, send);
      const moves = byGroup.get(group);
      if (moves === undefined) byGroup.set(group, [{ move, resolve, reject }]);
      else moves.push({ move, resolve, reject });
    });
}

function* batchesOf(moves: readonly Waiting[], mostMoves: number): Generator<readonly Waiting[]> {
  let from = 0;
  let length = 0;
  for (const [at, { move }] of moves.entries()) {
    if (at > from && (at - from === mostMoves || length + move.length > MOST_LENGTH)) {
      yield moves.slice(from, at);
      from = at;
      length = 0;
    }
    length += move.length;
  }
  yield from === 0 ? moves : moves.slice(from);
}

async function makeMoves(
  { name, call, shared }: MovesScript,
  group: string,
  batch: readonly Waiting[],
): Promise<void> {
  const { keys, args } = shared(group);
  const allKeys = [...keys];
  const allArgs = [...args];
  for (const { move } of batch) {
    allKeys.push(...move.keys);
    allArgs.push(...move.args);
  }
  try {
    const replies = (await call(allKeys, allArgs)) as [string, string?][];
    for (const [at, { resolve, reject }] of batch.entries()) {
      const reply = replies[at];
      if (reply === undefined || reply[0] === 'broken') {
        // Redis' own words first: they are what an error is known by.
        reject(new Error(`${reply?.[1] ?? 'no reply'} (${name})`));
      } else {
        resolve(reply as never);
      }
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
