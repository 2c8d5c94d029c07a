import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { textOf } from '../overhead/side.ts';
import { startBatchStack } from '../sides/batch-stack.ts';
import { PATIENCE_MS, type BulkSide, type BulkSideOptions } from './side.ts';

interface OutputLine {
  custom_id: string;
  response: { body: object };
}

/** `bin/nightshift api` and `bin/nightshift worker` with their default settings: upload, batch, output file. */
export async function startNightshiftSide(options: BulkSideOptions): Promise<BulkSide> {
  const { client, pids, untilStatus, stop } = await startBatchStack(options);
  let batchId = '';
  return {
    name: 'nightshift',
    pids,
    run: async (path) => {
      const { fileId } = await client.upload(path);
      batchId = await client.create(fileId);
      await untilStatus(batchId, ['completed'], PATIENCE_MS);
    },
    answers: async () => {
      const { output_file_id: output } = await client.read(batchId);
      if (output === null) throw new Error('nightshift: the batch has no output file');
      const answers = new Map<string, string>();
      const input = Readable.from(await client.content(output));
      for await (const text of createInterface({ input, crlfDelay: Infinity })) {
        const line = JSON.parse(text) as OutputLine;
        answers.set(line.custom_id, textOf(line.response.body));
      }
      return answers;
    },
    stop,
  };
}
