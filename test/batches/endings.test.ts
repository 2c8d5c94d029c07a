import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage();
});
afterAll(async () => {
  await stage.stop();
});

const cancel = async (id: string) => stage.client.batches.cancel(id);

describe('cancelling', () => {
  it('right after it was created leaves every line on record, and calls none or few', async () => {
    await stage.latency(0);
    const ids = names('early', 200);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    const answer = await cancel(id);
    expect(['cancelling', 'cancelled']).toContain(answer.status);
    expect(answer.cancelling_at).toBeGreaterThan(0);
    const batch = await stage.settled(id);
    expect(batch.status).toBe('cancelled');
    expect(batch.cancelled_at).toBeGreaterThanOrEqual(batch.cancelling_at ?? Infinity);
    // One that was cancelled while it was being validated has no lines yet.
    if (batch.request_counts?.total !== 0) await stage.judged(batch, ids);
  });

  it('in the middle keeps what was answered and what comes back, and calls no more', async () => {
    await stage.latency(1500);
    const ids = names('middle', 400);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    await stage.reaches(id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0);
    expect((await cancel(id)).status).toBe('cancelling');
    expect((await cancel(id)).status).toMatch(/^cancell/);
    const batch = await stage.settled(id);
    const calls = (await stage.calls()).filter(({ marker }) => marker?.startsWith('middle-'));
    expect(batch.status).toBe('cancelled');
    const { output, failures } = await stage.judged(batch, ids);
    expect(output.length).toBeGreaterThan(0);
    expect(failures.length).toBeGreaterThan(0);
    for (const { response, error } of failures) {
      expect(response).toBeNull();
      expect(error?.code).toBe('batch_cancelled');
    }
    // Paid answers are kept: what was called came back within the grace.
    expect(calls.filter(({ status }) => status === 200).length).toBe(output.length);
    const cancelledAtMs = ((batch.cancelling_at ?? 0) + 1) * 1000;
    expect(calls.filter(({ at_ms: at }) => at > cancelledAtMs + 1000)).toEqual([]);
    expect((await cancel(id)).status).toBe('cancelled');
  });

  it('of a paused batch ends it', async () => {
    await stage.latency(300);
    const ids = names('paused', 300);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    await stage.reaches(id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0);
    await stage.call(`/batches/${id}/pause`, {});
    await cancel(id);
    const batch = await stage.settled(id);
    expect(batch.status).toBe('cancelled');
    await stage.judged(batch, ids);
  });

  it('of one that has ended otherwise is refused, once and not again', async () => {
    await stage.latency(0);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(['done'])) });
    await stage.settled(id);
    const startedAt = performance.now();
    await expect(cancel(id)).rejects.toMatchObject({
      status: 409,
      message: "409 Cannot cancel a batch with status 'completed'.",
    });
    // The SDK does not try again what is told to be final.
    expect(performance.now() - startedAt).toBeLessThan(400);
    const bad = await stage.create({ input_file_id: await stage.upload('{\n') });
    await stage.settled(bad.id);
    await expect(cancel(bad.id)).rejects.toMatchObject({ status: 409 });
  });
});

describe('a window of a minute', () => {
  it('ends the batch, and what was answered in time is kept', async () => {
    await stage.latency(0);
    const ids = names('late', 20);
    const text = inputFile(ids) + inputFile(names('hang', 3), 'sim-hang');
    const { id } = await stage.create({
      input_file_id: await stage.upload(text),
      completion_window: '1m' as '24h',
    });
    const batch = await stage.settled(id, 120_000);
    expect(batch.status).toBe('expired');
    expect((batch.expires_at ?? 0) - batch.created_at).toBe(60);
    expect(batch.expired_at).toBeGreaterThanOrEqual(batch.expires_at ?? Infinity);
    const { output, failures } = await stage.judged(batch, [...ids, ...names('hang', 3)]);
    expect(output).toHaveLength(20);
    for (const { response, error } of failures) {
      expect(response).toBeNull();
      expect(error).toMatchObject({
        code: 'batch_expired',
        message: 'This request could not be executed before the completion window expired.',
      });
    }
    await expect(cancel(id)).rejects.toMatchObject({ status: 409 });
  });
});

describe('a killed worker', () => {
  it('costs no line: another conducts on', async () => {
    await stage.latency(300);
    const ids = names('killed', 500);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    await stage.reaches(id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 20);
    for (const worker of stage.stack.workers.slice()) {
      await stage.stack.startWorker();
      await worker.kill9();
    }
    const batch = await stage.settled(id, 120_000);
    expect(batch.status).toBe('completed');
    await stage.judged(batch, ids);
    await eventually(async () =>
      (await stage.calls()).every(({ ended_at_ms: end }) => end !== null),
    );
  });
});
