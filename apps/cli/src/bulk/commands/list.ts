import { batchStatuses } from '@nightshift/shared/batch';
import { UsageError } from '../../flags.ts';
import { exitCodes } from '../exit-codes.ts';
import { batchTable } from '../operator-tables.ts';
import type { BatchPageView, ListedBatch } from '../operator-views.ts';
import { printTable } from '../print-table.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, type Session } from '../session.ts';
import { numberOf } from '../values.ts';

const PAGE = 100;

const help = {
  usage: 'list [flags]',
  about: ['Lists batches, newest first: progress, cost, and why they are waiting.'],
  words: { least: 0, most: 0, names: '' },
  options: {
    Which: {
      status: {
        value: 'STATUS',
        about: `only batches with this status; can be repeated: ${batchStatuses.join(', ')}`,
      },
      limit: { value: 'N', about: 'list at most N batches (20)' },
    },
    'This command': {
      json: { about: 'the batches as JSON, one per line' },
      ...serverOptions,
    },
  },
  examples: ['nightshift list --status in_progress', "nightshift list --json | jq -r '.id'"],
};

export const runList = bulkCommand(help, async (session) => {
  const { line, clock } = session;
  session.onInterrupt('Stopped.');
  const statuses = readStatuses(line.all('status'));
  const limit =
    numberOf(line.one('limit'), '--limit', { least: 1, most: 100_000, whole: true }) ?? 20;
  const batches = await newestBatches(session, statuses, limit);
  const none =
    statuses.size === 0 ? 'There are no batches.' : 'There are no batches with this status.';
  printTable(session, batches, (all) => batchTable(all, clock.now()), none);
  return exitCodes.success;
});

/** The API cannot filter by status, so this reads pages and filters them. */
async function newestBatches(
  { client, patience }: Session,
  statuses: ReadonlySet<string>,
  limit: number,
): Promise<ListedBatch[]> {
  const found: ListedBatch[] = [];
  let after: string | null = null;
  for (;;) {
    const from: string | null = after;
    const size = statuses.size === 0 ? Math.min(PAGE, limit - found.length) : PAGE;
    const page: BatchPageView = await patience.with(async () => await client.batches(size, from));
    found.push(...page.data.filter(({ status }) => statuses.size === 0 || statuses.has(status)));
    after = page.last_id;
    if (!page.has_more || after === null || found.length >= limit) return found.slice(0, limit);
  }
}

function readStatuses(given: readonly string[]): ReadonlySet<string> {
  const wrong = given.find((status) => !(batchStatuses as readonly string[]).includes(status));
  if (wrong === undefined) return new Set(given);
  throw new UsageError(
    `--status must be one of ${batchStatuses.join(', ')}, got ${JSON.stringify(wrong)}`,
  );
}
