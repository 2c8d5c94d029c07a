import { validateInput, type InputError, type InputRules } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';

const MOST_NAMED = 1000;
/** In the message; all of them are in `error.requests`. */
const MOST_IN_MESSAGE = 5;

/** @throws ApiError 400 that names every bad request by its index. */
export async function checkRequests(lines: readonly string[], rules: InputRules): Promise<void> {
  const bad: InputError[] = [];
  for await (const result of validateInput(bytesOf(lines), rules)) {
    if (result.kind === 'error') bad.push(result);
  }
  const whole = bad.find(({ line }) => line === null);
  if (whole !== undefined) {
    const rule =
      whole.code === 'empty_file'
        ? 'must have at least one request'
        : `must have at most ${rules.limits.requests} requests, got ${lines.length}`;
    throw new ApiError('invalid_requests', `Invalid 'requests': ${rule}.`, { param: 'requests' });
  }
  const named = bad.slice(0, MOST_NAMED).map(nameByIndex);
  const [first] = named;
  if (first === undefined) return;
  const shown = named
    .slice(0, MOST_IN_MESSAGE)
    .map(({ param, message }) => `${param}: ${message}`)
    .join(' ');
  const more = bad.length > MOST_IN_MESSAGE ? ' …' : '';
  throw new ApiError(
    'invalid_requests',
    `${bad.length} of ${lines.length} requests are invalid. ${shown}${more}`,
    { param: first.param, details: { requests: named, count: bad.length } },
  );
}

/** The lines as one source. */
export async function* bytesOf(lines: readonly string[]): AsyncGenerator<Buffer, void, undefined> {
  for (let from = 0; from < lines.length; from += 1000) {
    yield Buffer.from(`${lines.slice(from, from + 1000).join('\n')}\n`);
  }
}

function nameByIndex({ code, message, param, line }: InputError) {
  const index = (line ?? 1) - 1;
  return {
    index,
    code,
    message: message
      .replace(/^This line\b/, 'This request')
      .replace(/\bline (\d+) has it too/, (_, other) => `requests.${Number(other) - 1} has it too`),
    param: param === null ? `requests.${index}` : `requests.${index}.${param}`,
  };
}
