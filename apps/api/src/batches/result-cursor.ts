import type { Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';

/** How much of the results a reader has: bytes of those that succeeded, and of the others. */
export interface CompletionCursor {
  output: number;
  failures: number;
}

export function formatCompletionCursor({ output, failures }: CompletionCursor): string {
  return `o:${output},f:${failures}`;
}

/** Behind everything that succeeded. */
export function endOfOutput({ output }: Batch): string {
  const bytes = output.reduce((sum, segment) => sum + segment.bytes, 0);
  return formatCompletionCursor({ output: bytes, failures: 0 });
}

/** @throws ApiError 400 for what is no cursor, or one beyond `committed`. */
export function parseCompletionCursor(
  text: string | undefined,
  committed: CompletionCursor,
): CompletionCursor {
  if (text === undefined) return { output: 0, failures: 0 };
  const [, output, failures] = /^o:(\d{1,15}),f:(\d{1,15})$/.exec(text) ?? [];
  const cursor = { output: Number(output), failures: Number(failures) };
  if (cursor.output <= committed.output && cursor.failures <= committed.failures) return cursor;
  throw noCursor('completion');
}

/** How many bytes of the input file are dealt with. @throws ApiError 400 */
export function parseInputCursor(text: string | undefined): number {
  if (text === undefined) return 0;
  const [, bytes] = /^i:(\d{1,15})$/.exec(text) ?? [];
  if (bytes === undefined) throw noCursor('input');
  return Number(bytes);
}

export function formatInputCursor(bytes: number): string {
  return `i:${bytes}`;
}

export function noCursor(order: 'completion' | 'input'): ApiError {
  return new ApiError(
    'invalid_value',
    `Invalid 'after': must be the x-next-after of an answer with order=${order} for this batch.`,
    { param: 'after' },
  );
}
