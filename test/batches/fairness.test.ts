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
  await stage.latency(200);
  const small = names('small', 300);
  const large = await stage.create({
    input_file_id: await stage.upload(inputFile(names('large', 8000))),
  });
  const smallFile = await stage.upload(inputFile(small));
  // By then a whole window of it has stood in the lane.
  await stage.reaches(large.id, (batch) => (batch.request_counts?.completed ?? 0) >= 500);
  const { id } = await stage.create({ input_file_id: smallFile });
  const batch = await stage.settled(id);
  expect((await stage.client.batches.retrieve(large.id)).status).toBe('in_progress');
  await stage.judged(batch, small);

  // In the order in which the provider got them: how fast the machine is plays no part.
  const calls = (await stage.calls()).toSorted((left, right) => left.n - right.n);
  const isSmall = calls.map(({ marker }) => marker?.startsWith('small') === true);
  const meanwhile = isSmall.slice(isSmall.indexOf(true), isSmall.lastIndexOf(true) + 1);
  expect(meanwhile.filter((own) => !own).length).toBeLessThanOrEqual(1.5 * small.length);

  await stage.client.batches.cancel(large.id);
  await stage.settled(large.id);
});
