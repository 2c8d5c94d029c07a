import { describe, expect, it } from 'vitest';
import { findProblems, type Evidence } from '../../src/demo/check.ts';
import { answered, call, goodNight, refused } from '../support/night.ts';

function evidence(more: Partial<Evidence> = {}): Evidence {
  const { lines, night, ledger } = goodNight();
  return { ...night, lines, ledger, death: night.takeover?.death ?? null, ...more };
}

describe('the check', () => {
  it('finds nothing when every line and job came to what it was meant to', () => {
    expect(findProblems(evidence())).toEqual([]);
    expect(findProblems(evidence({ ledger: null, death: null }))).toEqual([]);
  });

  it('names a line that is lost, one that is there twice, and one that nobody sent', () => {
    const { output } = evidence();
    const [first, second, third] = output as [never, never, never];
    const ids = output.map(({ custom_id: id }) => id);
    expect(findProblems(evidence({ output: [first, second] }))).toEqual([
      'the batch counts 3 completed; its output file has 2 lines',
      `${ids[2]} has 0 results; expected 1`,
      'the batch counts 30 tokens in and 15 out; its answers sum up to 20 and 10',
    ]);
    expect(findProblems(evidence({ output: [first, second, second] }))).toEqual([
      `${ids[1]} has 2 results; expected 1`,
      `${ids[2]} has 0 results; expected 1`,
    ]);
    const stranger = answered('stranger');
    expect(findProblems(evidence({ output: [first, second, third, stranger] }))).toEqual(
      expect.arrayContaining([
        'stranger has a result and was never sent',
        'stranger holds an answer that the provider did not give to it',
      ]),
    );
  });

  it('names counts and a status that are not those of the run', () => {
    const { batch } = evidence();
    const wrong = {
      ...batch,
      status: 'expired' as const,
      request_counts: { total: 5, completed: 3, failed: 2 },
    };
    expect(findProblems(evidence({ batch: wrong }))).toEqual([
      `${batch.id} is expired; expected completed`,
      'the batch counts 5 lines; the input has 4',
      'the batch counts 2 failed; its error file has 1 lines',
    ]);
  });

  it.each([
    [refused('hot-0001', 500, 'x'), /^hot-0001 failed with 500 x; expected 400 decimal_above/],
    [{ ...refused('hot-0001', 1, ''), response: null }, /^hot-0001 failed with no answer and no/],
    [
      { custom_id: 'hot-0001', response: null, error: { code: 'batch_expired', message: '' } },
      /^hot-0001 failed with batch_expired; expected 400/,
    ],
  ])('names a line that failed otherwise (%#)', (line, problem) => {
    expect(findProblems(evidence({ failures: [line] }))).toEqual([expect.stringMatching(problem)]);
  });

  it('names a line that failed without being meant to, and one that did not', () => {
    const { output, failures, batch } = evidence();
    const [first, ...rest] = output as [never, never, never];
    const id = output[0]?.custom_id;
    const counts = { total: 4, completed: 2, failed: 2 };
    const failed = findProblems(
      evidence({
        batch: { ...batch, request_counts: counts },
        output: rest,
        failures: [...failures, refused(String(id), 500, 'server_error')],
      }),
    );
    expect(failed[0]).toBe(`${id} failed with 500 server_error; expected 200`);
    const answeredOnPurpose = { ...(first as object), custom_id: 'hot-0001' } as never;
    expect(findProblems(evidence({ output: [first, answeredOnPurpose, ...rest] }))).toContain(
      'hot-0001 was answered; it is wrong on purpose',
    );
  });

  it("names an answer that is another line's, and a call without a reason", () => {
    const { ledger, output } = evidence();
    const [first, ...rest] = ledger as [never, never];
    const id = String(output[0]?.custom_id);
    const other = { ...(first as object), response_id: 'answer-of-another' } as never;
    expect(findProblems(evidence({ ledger: [other, ...rest] }))).toEqual([
      `${id} holds an answer that the provider did not give to it`,
    ]);
    expect(findProblems(evidence({ ledger: [...(ledger ?? []), call(id, 9)] }))).toEqual([
      `${id} was called again (call 9) after call 1, which was ok`,
    ]);
  });

  it('names a job that was not answered, and one that was not cancelled', () => {
    const [urgent, slow] = evidence().errands as [never, never];
    const swapped = [
      { ...(urgent as object), cancelledAtMs: 1 } as never,
      { ...(slow as object), cancelledAtMs: null } as never,
    ];
    expect(findProblems(evidence({ errands: swapped }))).toEqual([
      'job_urgent (gpt-4o-mini) is completed; expected cancelled',
      'job_slow (gpt-4o-mini) is cancelled; expected completed',
    ]);
  });
});
