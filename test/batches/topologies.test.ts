import { afterEach, describe, expect, it } from 'vitest';
import { inputFile, names, setBatchStageOn, type BatchStage } from '../support/batch-stage.ts';
import { readJob, submitJob } from '../support/client.ts';
import { eventually } from '@nightshift/local';
import { isSettled, type JobSeen } from '../support/ledger.ts';
import { redisServer, startCluster, startWatched, type Topology } from '../support/topologies.ts';

let stage: BatchStage<Topology> | undefined;
afterEach(async () => {
  await stage?.stop();
  stage = undefined;
});

/** Two models, so that there are lanes in more than one place. */
const models = ['sim-ok', 'gpt-4o-mini'] as const;

async function worksOn({ stack, ...on }: BatchStage<Topology>, prefix: string): Promise<void> {
  const jobs = await Promise.all(
    names(`${prefix}-job`, 40).map(async (marker, at) =>
      submitJob(stack.apiUrl, marker, models[at % 2] as string, AbortSignal.timeout(60_000)),
    ),
  );
  const settled = await Promise.all(
    jobs.map(async (id) =>
      eventually(
        async (): Promise<JobSeen | undefined> => {
          const job = await readJob(stack.apiUrl, id);
          return job !== undefined && isSettled(job) ? job : undefined;
        },
        { timeoutMs: 60_000, describe: `${id} to settle` },
      ),
    ),
  );
  expect(new Set(settled.map(({ status }) => status))).toEqual(new Set(['completed']));

  const ids = names(`${prefix}-line`, 300);
  const text = inputFile(ids.slice(0, 150), models[0]) + inputFile(ids.slice(150), models[1]);
  const batch = await on.create({ input_file_id: await on.upload(text) });
  const ended = await on.settled(batch.id);
  expect(ended.status).toBe('completed');
  expect((await on.judged(ended, ids)).output).toHaveLength(300);
}

describe.skipIf(redisServer === undefined)('a whole stack', () => {
  it('works on a Redis Cluster of three masters', async () => {
    stage = await setBatchStageOn(await startCluster(String(redisServer)));
    await worksOn(stage, 'cluster');
  });

  it("works on Sentinel's master, and on the next one when that is killed", async () => {
    const watched = await startWatched(String(redisServer));
    stage = await setBatchStageOn(watched);
    await worksOn(stage, 'before');
    await watched.killMaster();
    await worksOn(stage, 'after');
  });
});
