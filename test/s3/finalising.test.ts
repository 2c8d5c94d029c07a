import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startFaultProxy,
  type Fault,
  type FaultProxy,
} from '../../packages/blobs/test/support/fault-proxy.ts';
import { startS3Server, type S3Server } from '../../packages/blobs/test/support/s3-server.ts';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { judgeUsage } from '../support/judge-usage.ts';
import { repeats } from '../support/ledger.ts';

let server: S3Server;
let proxy: FaultProxy;
let stage: BatchStage;
beforeAll(async () => {
  server = await startS3Server();
  proxy = await startFaultProxy(server.port);
  stage = await setBatchStage({
    env: {
      NIGHTSHIFT_BLOBS: `s3://${server.bucket}/finals`,
      AWS_ENDPOINT_URL_S3: proxy.url,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    },
  });
  await stage.latency(5);
});
afterAll(async () => {
  await stage?.stop();
  await proxy?.stop();
  await server?.stop();
});

interface Trial {
  fault: Fault;
  /** Of the writes of results. The SDK alone gives up after a few. */
  times: number;
}
const trials: Trial[] = [
  { fault: 'slow_down', times: 25 },
  { fault: 'lose_answer', times: 1 },
  { fault: 'lose_answer', times: 25 },
  // It takes the time-out of a request until that is noticed.
  { fault: 'keep_answer', times: 1 },
  { fault: 'full', times: 5 },
];

describe('object storage that fails while a batch ends', () => {
  it('loses, doubles and repeats nothing', async () => {
    const faults = new Map<string, { fault: Fault; left: number }>();
    proxy.choose = (call) => {
      const [, id = ''] = /^PUT .*\/segments\/(batch_[^/]+)\//.exec(call) ?? [];
      const own = faults.get(id);
      if (own === undefined || own.left === 0) return null;
      own.left -= 1;
      return own.fault;
    };
    const struck = trials.map(async ({ fault, times }) => {
      const ids = names(`${fault}-${times}`, 300);
      const text = inputFile(ids.slice(10)) + inputFile(ids.slice(0, 10), 'sim-400');
      const { id } = await stage.create({ input_file_id: await stage.upload(text) });
      faults.set(id, { fault, left: times });
      return { id, ids };
    });
    for (const { id, ids } of await Promise.all(struck)) {
      const batch = await stage.settled(id, 300_000);
      expect(batch.status).toBe('completed');
      expect(faults.get(id)?.left).toBe(0);
      const judged = await stage.judged(batch, ids);
      const isMine = new Set(ids);
      const calls = (await stage.calls()).filter(({ marker }) => isMine.has(marker ?? ''));
      expect(repeats(calls)).toEqual([]);
      judgeUsage(batch, judged, calls);
    }
  });
});
