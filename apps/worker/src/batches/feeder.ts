import { routeModel } from '@nightshift/shared/config';
import { outboxEntry, type Endpoint, type TokenCounts } from '@nightshift/shared/job';
import { laneOf } from '@nightshift/shared/lane';
import {
  firstDelivery,
  type ConductedBatch,
  type Conducting,
  type FedLine,
  type InputPlace,
} from '@nightshift/shared/redis';
import { estimateTokens } from '@nightshift/shared/tokens';
import { createBundles } from './bundles.ts';
import type { ConductorDependencies } from './conductor.ts';
import { readRequests, type InputRequestLine } from './input-reader.ts';
import { linesToFeed } from './line-window.ts';
import { createTokenLimits } from './token-limits.ts';

/** In one script call. */
const FED_AT_ONCE = { lines: 250, bytes: 1_000_000 };
const SKIPPED_AT_ONCE = 500;
/** While Redis is short of memory, no lines are fed until at most this many are outstanding; feed-lines has the same number. */
const FEW_LINES = 16;

export interface Feeder {
  /** Lets lines into their lanes as far as the window has room; resolves to how many. */
  feed(place: InputPlace, outstanding: number): Promise<number>;
  /** Settles the next lines that are not called any more. */
  skip(place: InputPlace, status: 'cancelled' | 'expired'): Promise<void>;
  close(): Promise<void>;
}

export function createFeeder(
  conducting: Conducting,
  { batch, place: start }: ConductedBatch,
  input: string,
  { store, lanes, queues, jobs, blobs, memory, configuration, clock }: ConductorDependencies,
): Feeder {
  const requests = readRequests(blobs, input, batch.endpoint, start);
  const bundles = createBundles<FedLine>(clock.monotonic);
  const isCounted = createTokenLimits(lanes, clock);
  let readFed = start.fed;
  let isFirst = true;
  let averageBytes = 1000;

  /** The next requests, which begin where the record says that the batch stands. */
  const next = async (
    place: InputPlace,
    most: { lines: number; bytes: number },
  ): Promise<InputRequestLine[]> => {
    if (place.fed !== readFed) throw new Error('the batch stands elsewhere than its reader');
    const lines: InputRequestLine[] = [];
    let bytes = 0;
    while (lines.length < most.lines && bytes < most.bytes) {
      const read = await requests.next();
      if (read.done === true) break;
      lines.push(read.value);
      bytes += read.value.body.length;
    }
    return lines;
  };
  const after = (place: InputPlace, lines: readonly InputRequestLine[]): InputPlace => ({
    fed: place.fed + lines.length,
    line: lines.at(-1)?.line ?? place.line,
    bytes: lines.at(-1)?.endBytes ?? place.bytes,
  });

  return {
    feed: async (place, outstanding) => {
      bundles.settled(place.fed - outstanding);
      const room = linesToFeed(outstanding, averageBytes, batch.counts.total - place.fed);
      if (room === 0 || (memory.isTight() && outstanding > FEW_LINES)) return 0;
      // What is fed before the pace is known travels line by line.
      if (!bundles.isPaceKnown && outstanding >= FED_AT_ONCE.lines) return 0;
      const lines = await next(place, {
        lines: Math.min(room, FED_AT_ONCE.lines),
        bytes: FED_AT_ONCE.bytes,
      });
      if (lines.length === 0) return 0;
      const bytes = lines.reduce((sum, { body }) => sum + body.length, 0);
      averageBytes = 0.8 * averageBytes + (0.2 * bytes) / lines.length;
      const fed = await Promise.all(lines.map(async (line) => lineOf(line)));
      if (isFirst) bundles.expect(await paceOf(fed));
      isFirst = false;
      const cut = bundles.cut(fed);
      const isFed = await store.feed(
        conducting,
        place,
        after(place, lines),
        cut,
        configuration.retry.maxAttempts,
      );
      if (!isFed) throw new Error('the batch is not in progress here any more');
      readFed += lines.length;
      await deliver(cut);
      return lines.length;
    },

    skip: async (place, status) => {
      const lines = await next(place, { lines: SKIPPED_AT_ONCE, bytes: Infinity });
      if (lines.length === 0) throw new Error('the input has fewer lines than it had');
      if (!(await store.skip(conducting, place, after(place, lines), status, lines))) {
        throw new Error('the batch is conducted by another');
      }
      readFed += lines.length;
    },

    close: async () => {
      await requests.return();
    },
  };

  async function lineOf({
    line,
    customId,
    model,
    body,
    parsed,
  }: InputRequestLine): Promise<FedLine> {
    const provider = routeModel(configuration, model);
    if (provider === undefined) throw new Error(`no provider serves the model of line ${line}`);
    const lane = laneOf(provider.name, model, provider.credential);
    if ((await lanes.register(lane, true)) === 'too_many') {
      throw new Error(`line ${line} needs one lane more than limits.lanes allows`);
    }
    const { endpoint } = batch;
    const tokens = (await isCounted(lane.id)) ? countTokens(endpoint, model, parsed) : null;
    return { line, customId, endpoint, model, laneId: lane.id, body, tokens };
  }

  /** A lane that is at work tells what to expect of it. */
  async function paceOf(fed: readonly FedLine[]): Promise<number> {
    const laneIds = [...new Set(fed.map(({ laneId }) => laneId))];
    const paces = await Promise.all(laneIds.map(async (laneId) => store.pace(conducting, laneId)));
    return paces.reduce((sum, pace) => sum + pace, 0);
  }

  /** Puts fed lines into their queues; what fails stands in the outbox, and a sweep delivers it. */
  async function deliver(cut: readonly (readonly FedLine[])[]): Promise<void> {
    const { tenant, id } = conducting;
    for (const [laneId, own] of Map.groupBy(cut, ([first]) => first?.laneId ?? '')) {
      const sent = own.map((bundle) =>
        bundle.map(({ line, tokens, body }) => ({
          deliveryId: firstDelivery(id, line),
          tokens,
          characters: body.length,
        })),
      );
      await queues.add(
        laneId,
        'bulk',
        sent.flatMap(([first, ...others]) =>
          first === undefined ? [] : [{ ...first, others, tenant, flow: `${tenant}/${id}` }],
        ),
      );
      await jobs.confirmDeliveries(
        tenant,
        sent.map((bundle) => outboxEntry(bundle.map(({ deliveryId }) => deliveryId))),
      );
    }
  }
}

function countTokens(
  endpoint: Endpoint,
  model: string,
  body: InputRequestLine['parsed'],
): TokenCounts {
  const { inputTokens, maxOutputTokens, choices } = estimateTokens(endpoint, model, body);
  return [inputTokens, maxOutputTokens, choices];
}
