import { validateInput, type Batch, type BatchInputError } from '@nightshift/shared/batch';
import { batchInputRules } from '@nightshift/shared/config';
import type { Conducting } from '@nightshift/shared/redis';
import type { ConductorDependencies } from './conductor.ts';

const MOST_ERRORS = 1000;

/** Reads the whole input before anything of it is called; resolves to what became of the batch. */
export async function validateBatch(
  conducting: Conducting,
  batch: Batch,
  { store, blobs, configuration, logger }: ConductorDependencies,
  signal: AbortSignal,
): Promise<string> {
  const input = await store.inputName(conducting, batch.inputFileId);
  const errors: BatchInputError[] = [];
  let errorCount = 0;
  let total = 0;
  let model: string | null | undefined;
  const rules = batchInputRules(configuration, batch.endpoint);
  for await (const line of validateInput(blobs.read(input), rules)) {
    signal.throwIfAborted();
    if (line.line !== null) total += 1;
    if (line.kind === 'error') {
      errorCount += 1;
      const { code, message, param } = line;
      if (errors.length < MOST_ERRORS) errors.push({ code, message, param, line: line.line });
    } else {
      model = model === undefined || model === line.model ? line.model : null;
    }
  }
  const outcome = await store.begin(conducting, batch.inputFileId, {
    total: errorCount > 0 && batch.status === 'cancelling' ? 0 : total,
    model: model ?? null,
    errors,
    errorCount,
  });
  logger.info({ batchId: batch.id, total, errors: errorCount }, `batch.${outcome}`);
  return outcome;
}
