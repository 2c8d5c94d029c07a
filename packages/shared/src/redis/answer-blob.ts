/** The blob that holds an answer too large for Redis. */
export interface AnswerBlob {
  name: string;
  bytes: number;
}

/** Parses the fields `response_blob` and `response_bytes` of a record or a result. */
export function parseAnswerBlob(name: string | null, bytes: string | null): AnswerBlob | null {
  return name === null || name === '' ? null : { name, bytes: Number(bytes) };
}
