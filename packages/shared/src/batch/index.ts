export {
  batchStatuses,
  isBatchSettled,
  type Batch,
  type BatchInputError,
  type BatchStatus,
  type NewBatch,
  type QuietHours,
  type ResultSegment,
} from './batch.ts';
export type { FileContent, StoredFile } from './file.ts';
export type { InputError, InputErrorCode, InputRequest } from './input-line.ts';
export { validateInput, type InputLine, type InputRules } from './validate-input.ts';
