export type RangeRequest =
  /** Send it all: nothing was asked for, or nothing that we serve. */
  { kind: 'whole' } | { kind: 'range'; start: number; end: number } | { kind: 'unsatisfiable' };

/**
 * What a `Range` header asks of so many bytes; `end` is exclusive. One range only: several, other units, and what is
 * malformed get the whole, as RFC 9110 (14.2) lets a server choose.
 */
export function parseRange(header: string | undefined, bytes: number): RangeRequest {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return { kind: 'whole' };
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0 || bytes === 0) return { kind: 'unsatisfiable' };
    return { kind: 'range', start: Math.max(0, bytes - suffix), end: bytes };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  if (start >= bytes) return { kind: 'unsatisfiable' };
  return { kind: 'range', start, end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) };
}
