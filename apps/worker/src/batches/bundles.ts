import { BUNDLE_MOMENT_MS, MOST_IN_BUNDLE } from '@nightshift/shared/job';

/** The pace is taken over at least so long: results come in groups. */
const SPAN_MS = 100;

export interface Bundles<Line extends { laneId: string }> {
  /** False until results could have come for a while, unless one is expected. */
  readonly isPaceKnown: boolean;
  /** A pace, in results a second, to go by until the batch's own is known; 0 is none. */
  expect(perSecond: number): void;
  /** So many of the batch's lines are settled now. */
  settled(count: number): void;
  /** Cuts lines into bundles, each for one lane. */
  cut(lines: readonly Line[]): Line[][];
}

/** Follows the pace of a batch, and bundles its lines accordingly. */
export function createBundles<Line extends { laneId: string }>(
  monotonic: () => number,
): Bundles<Line> {
  let since: { atMs: number; count: number } | null = null;
  let perMs: number | null = null;

  return {
    get isPaceKnown() {
      return perMs !== null;
    },
    expect: (perSecond) => {
      if (perSecond > 0) perMs ??= perSecond / 1000;
    },
    settled: (count) => {
      const atMs = monotonic();
      since ??= { atMs, count };
      if (atMs - since.atMs < SPAN_MS) return;
      perMs = (count - since.count) / (atMs - since.atMs);
      since = { atMs, count };
    },
    cut: (lines) =>
      [...Map.groupBy(lines, ({ laneId }) => laneId).values()].flatMap((own) => {
        // Of the batch's pace a lane has the part that it has of these lines.
        const atOnce = Math.floor(((perMs ?? 0) * BUNDLE_MOMENT_MS * own.length) / lines.length);
        return pieces(own, Math.min(Math.max(1, atOnce), MOST_IN_BUNDLE));
      }),
  };
}

function pieces<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}
