import { expect, test } from 'vitest';
import { findProblems, type Evidence } from '../../src/demo/check.ts';
import { call, settledJob, someJobs } from '../support/jobs.ts';

function goodEvidence() {
  const sample = someJobs();
  const jobs = sample.map((item) =>
    item.onPurpose === null
      ? settledJob(item)
      : settledJob(item, {
          status: 'failed',
          error: { code: 'provider_rejected', message: 'No.' },
        }),
  );
  const accepted = new Map(
    sample.map(({ key }) => [key, { id: `job_${key}`, submittedAtMs: 0 }] as const),
  );
  const events = new Map(
    jobs.map(({ id, status }) => [id, ['job.queued', 'job.in_progress', `job.${status}`]]),
  );
  return {
    sample,
    result: { accepted, jobs },
    again: structuredClone(jobs),
    events,
    ledger: sample.map(({ key }, n) => call(key, n + 1)),
  } satisfies Evidence;
}

test('finds nothing when every job came to what it was meant to', () => {
  expect(findProblems(goodEvidence())).toEqual([]);
  expect(findProblems({ ...goodEvidence(), ledger: null })).toEqual([]);
});

test('an unexpected failure is named with its error', () => {
  const evidence = goodEvidence();
  evidence.result.jobs[0] = settledJob(evidence.sample[0]!, {
    status: 'failed',
    error: { code: 'provider_error', message: 'Attempt 8 of 8 failed.' },
  });
  evidence.again = structuredClone(evidence.result.jobs);
  expect(findProblems(evidence)).toEqual([
    expect.stringMatching(
      /^job_demo-\d+ \(.*\) is failed with provider_error: Attempt 8 of 8 failed\.; expected completed$/,
    ),
  ]);
});

test('a lost, a foreign, a changed and a twice settled job are found', () => {
  const lost = goodEvidence();
  lost.result.jobs.pop();
  lost.again.pop();
  expect(findProblems(lost).join()).toMatch(/was submitted and is not listed/);

  const foreign = goodEvidence();
  foreign.result.accepted.delete(foreign.sample[0]!.key);
  expect(findProblems(foreign).join()).toMatch(/is listed and was never submitted/);

  const changed = goodEvidence();
  changed.again[1] = { ...changed.again[1]!, settled_at: 99 };
  expect(findProblems(changed)).toEqual([expect.stringMatching(/changed after it was settled/)]);

  const twice = goodEvidence();
  const [id] = twice.events.keys();
  twice.events.get(id!)!.push('job.completed');
  expect(findProblems(twice)).toEqual([`${id} has 2 terminal events`]);
});

test("an answer that is another job's is found", () => {
  const evidence = goodEvidence();
  evidence.ledger[0] = { ...evidence.ledger[0]!, response_id: 'answer-of-another' };
  expect(findProblems(evidence)).toEqual([
    expect.stringMatching(/holds an answer that the provider did not give to it/),
  ]);
});
