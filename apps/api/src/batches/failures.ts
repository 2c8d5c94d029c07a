import { readSegments, type BlobStore } from '@nightshift/blobs';
import type { Batch } from '@nightshift/shared/batch';
import { linesOf } from './read-file.ts';

/** A line of the error file, as far as it tells what went wrong. */
export interface Failure {
  /** From 1, in the error file. */
  line: number;
  customId: string;
  /** The provider's, or null when there was no answer. */
  statusCode: number | null;
  /** What it is called, the most exact name first: `context_length_exceeded`, `invalid_request_error`, `http_400`. */
  codes: readonly [string, ...string[]];
  message: string;
}

interface FailureLine {
  custom_id: string;
  response: { status_code: number; body: unknown } | null;
  error: { code: string; message: string } | null;
}

export async function* readFailures(
  blobs: BlobStore,
  { failures }: Batch,
): AsyncGenerator<Failure, void, undefined> {
  let line = 0;
  for await (const { bytes } of linesOf(readSegments(blobs, failures))) {
    line += 1;
    yield { line, ...describeFailure(JSON.parse(bytes.toString('utf8')) as FailureLine) };
  }
}

function describeFailure({
  custom_id: customId,
  response,
  error,
}: FailureLine): Omit<Failure, 'line'> {
  if (response === null) {
    const code = error?.code ?? 'unknown';
    return { customId, statusCode: null, codes: [code], message: error?.message ?? code };
  }
  const status = `http_${response.status_code}`;
  const told = record(record(response.body)?.['error']) ?? record(response.body) ?? {};
  const names = [told['code'], told['type']].filter(isName);
  const [first = status, ...others] = [...new Set([...names, status])];
  return {
    customId,
    statusCode: response.status_code,
    codes: [first, ...others],
    message: isName(told['message'])
      ? told['message']
      : (error?.message ?? `The provider answered ${response.status_code}.`),
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : undefined;
}
