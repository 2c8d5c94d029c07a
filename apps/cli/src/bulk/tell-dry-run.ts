import type { OptionTable } from './command-line.ts';
import type { BatchFields } from './client.ts';
import { dryRunView } from './dry-run-view.ts';
import { exitCodes } from './exit-codes.ts';
import type { BulkInput } from './input/prepare.ts';
import type { Session } from './session.ts';
import { dryRunInput } from './submit-input.ts';

export const dryRunOption: OptionTable = {
  'dry-run': { about: 'start nothing; estimate tokens, cost and time' },
};

/** Prints what a submission would lead to, and starts nothing. Resolves with the exit code. */
export async function tellDryRun(
  session: Session,
  input: BulkInput,
  fields: BatchFields,
): Promise<number> {
  const { line, stdout, clock } = session;
  const dryRun = await dryRunInput(session, input, fields);
  const text = line.has('json') ? JSON.stringify(dryRun) : dryRunView(dryRun, clock.now());
  stdout.write(`${text}\n`);
  return dryRun.valid ? exitCodes.success : exitCodes.usage;
}
