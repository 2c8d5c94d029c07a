import { errorTable, type ErrorCode } from './error-table.ts';

/** OpenAI's error envelope; every error of every route has this shape. */
export interface ErrorEnvelope {
  error: {
    message: string;
    type: string;
    param: string | null;
    code: ErrorCode;
    [detail: string]: unknown;
  };
}

interface ApiErrorOptions {
  /** The field at fault, in dotted form: `body.model`, `metadata`, `limit`. */
  param?: string | null;
  /** Headers that belong to the answer, in lower case. */
  headers?: Readonly<Record<string, string>>;
  /** What else stands in the envelope, beside OpenAI's four fields. */
  details?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** An error with an answer of its own: the code picks the status and the type. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.param = options.param ?? null;
    this.headers = options.headers ?? {};
    this.details = options.details ?? {};
  }

  get status(): number {
    return errorTable[this.code].status;
  }

  toEnvelope(): ErrorEnvelope {
    const { type } = errorTable[this.code];
    const { message, param, code, details } = this;
    return { error: { message, type, param, code, ...details } };
  }
}

/** What a value looks like in an error message: short, and one line. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
