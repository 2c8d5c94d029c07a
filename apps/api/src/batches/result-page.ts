/** A part of a batch's results, ready to be sent. */
export interface ResultPage {
  source: AsyncIterable<Uint8Array>;
  bytes: number;
  /** Where the next part begins. */
  nextAfter: string;
  /** Whether there is more to read at once. */
  hasMore: boolean;
}

/** A page with a limit ends early at this much: it is held until all of it is known. */
export const PAGE_BYTES = 8_000_000;
