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

export function parseDeliveryId(id: string): { jobId: string; delivery: number } {
  const [, jobId, delivery] = /^(.+)\.([1-9]\d{0,14})$/s.exec(id) ?? [];
  if (jobId === undefined) throw new Error(`delivery id must be JOB_ID.NUMBER, got ${id}`);
  return { jobId, delivery: Number(delivery) };
}
