import type { BlobStore } from '@nightshift/blobs';
import type { Batch } from '@nightshift/shared/batch';
import type { BatchErrorGroup, BatchErrors } from '@nightshift/shared/http';
import { readFailures } from './failures.ts';

const MOST_GROUPS = 1000;
const MOST_CUSTOM_IDS = 5;
const MOST_MESSAGE = 500;
/** Of those for which there is no group left: a provider may put anything into a code. */
const OTHERS = 'other';

/** What went wrong in a batch, most frequent first. A batch whose input is wrong tells that. */
export async function groupErrors(blobs: BlobStore, batch: Batch): Promise<BatchErrors> {
  const groups = createGroups();
  for (const { code, message, line } of batch.errors ?? []) {
    groups.add(code, null, message, line, null);
  }
  for await (const { codes, statusCode, message, line, customId } of readFailures(blobs, batch)) {
    groups.add(codes[0], statusCode, message, line, customId);
  }
  const failed = batch.failures.reduce((sum, { lines }) => sum + lines, 0);
  return { object: 'list', data: groups.sorted(), count: batch.errorCount + failed };
}

function createGroups() {
  const groups = new Map<string, BatchErrorGroup>();
  return {
    add: (
      given: string,
      statusCode: number | null,
      message: string,
      line: number | null,
      customId: string | null,
    ): void => {
      const isNew = !groups.has(`${statusCode} ${given}`);
      const [code, status] =
        isNew && groups.size >= MOST_GROUPS ? [OTHERS, null] : [given, statusCode];
      const key = `${status} ${code}`;
      const group = groups.get(key) ?? {
        code,
        status_code: status,
        message: message.slice(0, MOST_MESSAGE),
        count: 0,
        first_seen: line,
        last_seen: line,
        custom_ids: [],
      };
      groups.set(key, group);
      group.count += 1;
      group.last_seen = line;
      if (customId !== null && group.custom_ids.length < MOST_CUSTOM_IDS) {
        group.custom_ids.push(customId);
      }
    },
    sorted: (): BatchErrorGroup[] => [...groups.values()].toSorted((a, b) => b.count - a.count),
  };
}
