/** Lines of a batch that stand in their lanes at once, and about how many bytes of them. */
const WINDOW = { lines: 1000, bytes: 16_000_000 };
/** Of large lines at least so many, or calls would wait for them. */
const FEWEST_LINES = 16;
/** A handful at a time would only cost: lines are fed when so much of the window is free. */
const FREE_SHARE = 0.2;

/**
 * How many of a batch's next lines may go into their lanes: 0 while it is not worth it. `outstanding` are there now,
 * `left` are not yet; `averageBytes` is what a line's body takes.
 */
export function linesToFeed(outstanding: number, averageBytes: number, left: number): number {
  const window = Math.floor(
    Math.min(WINDOW.lines, Math.max(FEWEST_LINES, WINDOW.bytes / averageBytes)),
  );
  const room = Math.max(0, Math.min(window - outstanding, left));
  return room >= Math.min(left, FREE_SHARE * window) ? room : 0;
}
