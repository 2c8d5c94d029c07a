import { afterAll, beforeAll, expect, it } from 'vitest';
import { setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { pythonWithSdk, runPython } from '../support/python.ts';

let stage: BatchStage;
let python: string;
beforeAll(async () => {
  python = await pythonWithSdk();
  stage = await setBatchStage();
}, 600_000);
afterAll(async () => {
  await stage.stop();
});

it.each(['lifecycle', 'mixed', 'bad_input', 'refusals', 'cancel', 'paging', 'extras'])(
  'OpenAI’s Python SDK: %s',
  async (name) => {
    const printed = await runPython(python, ['batches.py', name], { NIGHTSHIFT_URL: stage.url });
    expect(printed).toContain(`${name}: held`);
  },
);
