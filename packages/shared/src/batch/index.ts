export {
  batchStatuses,
  isBatchSettled,
  type Batch,
  type BatchInputError,
  type BatchStatus,
  type LineGroup,
  type OpenLines,
  type NewBatch,
  type QuietHours,
  type ResultSegment,
} from './batch.ts';
export {
  fileIdPattern,
  newFileId,
  type FileContent,
  type NewFile,
  type StoredFile,
} from './file.ts';
export {
  newPartId,
  MOST_UPLOAD_MS,
  newUploadId,
  partIdPattern,
  uploadIdPattern,
  type NewUpload,
  type Upload,
  type UploadPart,
  type UploadStatus,
} from './upload.ts';
export { batchIdPattern, newBatchId } from './batch-id.ts';
export { completionWindowRule, parseCompletionWindow } from './completion-window.ts';
export { createCustomIds, type CustomIds } from './custom-ids.ts';
export type { InputError, InputErrorCode, InputRequest } from './input-line.ts';
export { createLineSplitter } from './line-splitter.ts';
export {
  isTimeZone,
  mayRun,
  quietHoursBegin,
  quietMinutes,
  timeOfDayPattern,
} from './quiet-hours.ts';
export { validateInput, type InputLine, type InputRules } from './validate-input.ts';
