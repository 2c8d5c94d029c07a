/**
 * `record` and then `gather`: turn what the turn has collected into commands, results first. `write`: sends what has been
 * written, these included.
 */
export type Stage = 'record' | 'gather' | 'write';

const waiting: Record<Stage, (() => void)[]> = { record: [], gather: [], write: [] };
let isScheduled = false;

/**
 * Runs something once all that this turn of the event loop has to do is done. In stages, since two callbacks of
 * `setImmediate` come in any order: commands that were made after the write would wait for another turn.
 */
export function atEndOfTurn(stage: Stage, callback: () => void): void {
  waiting[stage].push(callback);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  runAll('record');
  runAll('gather');
  isScheduled = false;
  runAll('write');
}

function runAll(stage: Stage): void {
  const callbacks = waiting[stage];
  waiting[stage] = [];
  for (const callback of callbacks) callback();
}
