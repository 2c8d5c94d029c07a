export { ApiError, describeValue, type ErrorEnvelope } from './api-error.ts';
export { errorTable, type ErrorCode } from './error-table.ts';
