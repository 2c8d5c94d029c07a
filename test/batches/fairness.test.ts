import { afterAll, beforeAll, expect, it } from 'vitest';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage();
});
afterAll(async () => {
  await stage.stop();
});

it('a small batch waits for no more lines of a large one in its lane than it has itself, and a few', async () => {
  await stage.latency(500);
  const small = names('small', 300);
  const large = await stage.create({
    input_file_id: await stage.upload(inputFile(names('large', 8000))),
  });
  const smallFile = await stage.upload(inputFile(small));
  // By then a whole window of it has stood in the lane.
  await stage.reaches(large.id, (batch) => (batch.request_counts?.completed ?? 0) >= 500);
  const before = (await stage.calls()).length;
  const { id } = await stage.create({ input_file_id: smallFile });
  const batch = await stage.settled(id);
  expect((await stage.client.batches.retrieve(large.id)).status).toBe('in_progress');
  await stage.judged(batch, small);

  // In the order in which the provider got them: how fast the machine is hardly plays a part.
  const calls = (await stage.calls()).toSorted((left, right) => left.n - right.n).slice(before);
  const isSmall = calls.map(({ marker }) => marker?.startsWith('small') === true);
  const others = isSmall.slice(0, isSmall.lastIndexOf(true)).filter((own) => !own).length;
  // As many as it has itself, and what is called until it is noticed. Behind a whole window it would be some 850.
  expect(others).toBeLessThanOrEqual(2 * small.length);

  await stage.client.batches.cancel(large.id);
  await stage.settled(large.id);
});
