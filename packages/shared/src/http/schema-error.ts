import type { z } from 'zod';
import { ApiError, describeValue, type ErrorCode } from '../errors/index.ts';

const MAX_PARAM_LENGTH = 200;

type Issue = z.core.$ZodIssue;

/**
 * The first issue of a failed parse as an answer that names the field.
 * @param at where the parsed value stands in the request: '' for the JSON body, `query`, `headers` … are not named
 */
export function schemaError(issues: readonly Issue[], input: unknown): ApiError {
  const issue = issues[0];
  if (issue === undefined) return new ApiError('invalid_value', 'The request is not valid.');
  return issueError(issue, input);
}

function issueError(issue: Issue, input: unknown): ApiError {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const param = joinPath([...path, issue.keys[0] ?? '']);
    return new ApiError('unknown_parameter', `Unknown parameter: '${param}'.`, { param });
  }
  const param = joinPath(path) || null;
  const value = valueAt(input, path);
  const named = param === null ? 'The request body' : `'${param}'`;
  if (value === undefined && param !== null) {
    return new ApiError('missing_required_parameter', `Missing required parameter: '${param}'.`, {
      param,
    });
  }
  const fail = (code: ErrorCode, rule: string): ApiError =>
    new ApiError(
      code,
      `Invalid ${named === 'The request body' ? 'request body' : named}: ${rule}, got ${describeValue(value)}.`,
      { param },
    );
  switch (issue.code) {
    case 'invalid_type':
      return fail(
        'invalid_type',
        issue.message.startsWith('Invalid input')
          ? `must be ${article(issue.expected)}`
          : issue.message,
      );
    case 'too_big':
      if (issue.origin === 'object')
        return fail('object_above_max_properties', `must have at most ${issue.maximum} pairs`);
      if (issue.origin === 'string')
        return fail('string_above_max_length', `must be at most ${issue.maximum} characters long`);
      return fail('integer_above_max_value', `must be at most ${issue.maximum}`);
    case 'too_small':
      if (issue.origin === 'string')
        return fail('invalid_value', `must be at least ${issue.minimum} characters long`);
      return fail('integer_below_min_value', `must be at least ${issue.minimum}`);
    case 'invalid_value':
      return fail(
        'invalid_value',
        `must be one of ${issue.values.map((allowed) => JSON.stringify(allowed)).join(', ')}`,
      );
    case 'invalid_union':
      return fail(typeof value === 'object' ? 'invalid_value' : 'invalid_type', issue.message);
    default:
      return fail('invalid_value', issue.message);
  }
}

/** A caller's key can be as long as the body; the answer is not. */
function joinPath(path: readonly string[]): string {
  const joined = path.join('.');
  return joined.length > MAX_PARAM_LENGTH ? `${joined.slice(0, MAX_PARAM_LENGTH)}…` : joined;
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number';
  if (expected === 'record') return 'an object';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  let at = input;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
