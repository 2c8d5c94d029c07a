/**
 * What a request will be charged: input tokens, most output tokens over all choices or null
 * where it does not say, choices.
 */
export type TokenCounts = readonly [number, number | null, number];

/**
 * A delivery is one appearance of a job in a queue: `JOB_ID.NUMBER`. Each later delivery of a job has the next
 * number, so that a leftover of an earlier one is recognised and dropped, and never mistaken for the present one.
 */
export function deliveryId(jobId: string, delivery: number): string {
  return `${jobId}.${delivery}`;
}

/** What a bundle holds waits with it for slots of one process, should calls become slow meanwhile. */
export const MOST_IN_BUNDLE = 16;

/** Calls of a lane that come to their turn within this time travel together; a model takes far longer for one. */
export const BUNDLE_MOMENT_MS = 5;

/** A delivery, and what its call will be charged as far as that was counted. */
export interface CountedDelivery {
  deliveryId: string;
  tokens: TokenCounts | null;
  /** Length of the request, by which one whose tokens are not counted takes its part of a shared lane. */
  characters?: number;
}

/** What a queue holds as one: a delivery, and those that travel with it as a bundle. */
export interface QueueEntry extends CountedDelivery {
  others: readonly CountedDelivery[];
}

/**
 * A bundle is one appearance in a queue for several jobs of a lane that come to their turn within the same moment.
 * Each keeps its own delivery; `FIRST+OTHERS` is what they are called together, and of one by itself its id.
 */
export function bundleId(deliveryIds: readonly string[]): string {
  const [first = ''] = deliveryIds;
  return deliveryIds.length === 1 ? first : `${first}+${deliveryIds.length - 1}`;
}

/** What stands in the outbox for deliveries that travel together. */
export function outboxEntry(deliveryIds: readonly string[]): string {
  return deliveryIds.join(' ');
}

/** How many deliveries a queue's entry of this id stands for. */
export function bundleSize(id: string): number {
  return 1 + Number(/\+([1-9]\d{0,3})$/.exec(id)?.[1] ?? 0);
}

export function parseDeliveryId(id: string): { jobId: string; delivery: number } {
  const [, jobId, delivery] = /^(.+)\.([1-9]\d{0,14})$/s.exec(id) ?? [];
  if (jobId === undefined) throw new Error(`delivery id must be JOB_ID.NUMBER, got ${id}`);
  return { jobId, delivery: Number(delivery) };
}
