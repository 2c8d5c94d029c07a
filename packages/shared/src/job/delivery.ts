/**
 * A delivery is one appearance of a job in a queue: `JOB_ID.NUMBER`. Each later delivery of a job has the next
 * number, so that a leftover of an earlier one is recognised and dropped, and never mistaken for the present one.
 */
export function deliveryId(jobId: string, delivery: number): string {
  return `${jobId}.${delivery}`;
}

export function parseDeliveryId(id: string): { jobId: string; delivery: number } {
  const dot = id.lastIndexOf('.');
  const delivery = Number(id.slice(dot + 1));
  if (dot < 1 || !Number.isInteger(delivery)) {
    throw new Error(`delivery id must be JOB_ID.NUMBER, got ${id}`);
  }
  return { jobId: id.slice(0, dot), delivery };
}
