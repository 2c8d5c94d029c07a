import { z } from 'zod';

/** Statuses that a fault can answer with, each with the envelope that OpenAI gives it. */
export const FAULT_STATUSES = [
  400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529,
] as const;

const ms = z.number().min(0).max(86_400_000);
const megabytes = z.number().positive().max(100_000);

/** One way of misbehaving. Sizes are decimal megabytes of the answer's JSON, times milliseconds. */
export const faultSchema = z.discriminatedUnion('kind', [
  /** Behaves well: exempts a call from the faults that come after it. */
  z.strictObject({ kind: z.literal('ok') }),
  /** An error envelope; `wait_ms` fills `retry-after`, `headers: false` sends none. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.union(FAULT_STATUSES.map((status) => z.literal(status))),
    wait_ms: ms.optional(),
    headers: z.boolean().optional(),
  }),
  /** 429 `insufficient_quota`. */
  z.strictObject({ kind: z.literal('quota') }),
  /** Answers well, but so much later. */
  z.strictObject({ kind: z.literal('slow'), ms }),
  /** Takes the request and never answers. */
  z.strictObject({ kind: z.literal('hang') }),
  /** Sends the headers and half of the answer, then nothing more. */
  z.strictObject({ kind: z.literal('stall') }),
  /** Sends the headers, then one byte every so often. */
  z.strictObject({ kind: z.literal('drip'), every_ms: ms.min(1) }),
  /** Resets the connection (RST) after the body was received. */
  z.strictObject({ kind: z.literal('reset') }),
  /** Closes the connection (FIN) after the body was received. */
  z.strictObject({ kind: z.literal('close') }),
  /** 200 with an HTML page. */
  z.strictObject({ kind: z.literal('html') }),
  /** Promises the whole answer in its content length, sends half, closes the connection. */
  z.strictObject({ kind: z.literal('truncated') }),
  /** A complete HTTP answer whose JSON stops half-way. */
  z.strictObject({ kind: z.literal('half_json') }),
  /** The right JSON as text/plain. */
  z.strictObject({ kind: z.literal('wrong_type') }),
  /** 200 with JSON of another shape: {"ok":true}. */
  z.strictObject({ kind: z.literal('wrong_shape') }),
  /** 200 with an empty body. */
  z.strictObject({ kind: z.literal('empty') }),
  /** A well-formed answer of so many megabytes. */
  z.strictObject({ kind: z.literal('huge'), megabytes }),
  /** A small gzip body that inflates to so many megabytes. */
  z.strictObject({ kind: z.literal('gzip_bomb'), megabytes }),
  /** An answer that never ends: server-sent events for a stream, else an unfinished JSON string. */
  z.strictObject({ kind: z.literal('endless') }),
  /** A stream that breaks off with an error event; a plain call gets 500. */
  z.strictObject({ kind: z.literal('midstream') }),
]);

export type Fault = z.infer<typeof faultSchema>;

/** What is decided for one call: wait longer, then misbehave or not. */
export interface Misbehaviour {
  delayMs: number;
  fault: Fault | null;
}

/**
 * Whether a fault strikes at the door, before the call is charged to any limit: an answer below
 * 500 is given instead of the work, everything else is given in place of the work's result.
 */
export function strikesAtTheDoor(fault: Fault): boolean {
  return fault.kind === 'quota' || (fault.kind === 'status' && fault.status < 500);
}
