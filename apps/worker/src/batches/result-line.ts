import type { LineResult } from '@nightshift/shared/redis';

const WINDOW_ENDED = 'This request could not be executed before the completion window expired.';

/** A line of an output file, and in which of the two it belongs. */
export interface ResultLine {
  file: 'output' | 'failures';
  text: string;
}

/**
 * The wire's form of a result: a 2xx goes to the output file; an HTTP error to the error file, with its response; what
 * was never answered to the error file, with an error. The provider's answer is copied as it came.
 */
export function resultLine(batchId: string, result: LineResult): ResultLine {
  const id = `batch_req_${batchId.slice('batch_'.length)}_${result.line}`;
  const { response } = result;
  const isAnswered =
    response !== null && (result.status === 'completed' || result.status === 'failed');
  const answer = isAnswered
    ? `{"status_code":${response.statusCode},"request_id":${JSON.stringify(response.requestId)},"body":${asJson(response.body)}}`
    : 'null';
  const error = isAnswered ? 'null' : JSON.stringify(errorOf(result));
  return {
    file: result.status === 'completed' ? 'output' : 'failures',
    text: `{"id":${JSON.stringify(id)},"custom_id":${JSON.stringify(result.customId)},"response":${answer},"error":${error}}\n`,
  };
}

function errorOf({ status, error }: LineResult): { code: string; message: string } {
  if (status === 'expired') return { code: 'batch_expired', message: WINDOW_ENDED };
  if (status === 'cancelled') {
    return {
      code: 'batch_cancelled',
      message: 'This request was not executed because its batch was cancelled.',
    };
  }
  return error ?? { code: 'provider_error', message: 'The request failed without an answer.' };
}

/** On one line; a body that is not JSON, a proxy's page for instance, becomes a string. */
function asJson(body: string): string {
  try {
    JSON.parse(body);
  } catch {
    return JSON.stringify(body);
  }
  // Outside of strings JSON takes a line break for white space; inside there is none.
  return /[\n\r]/.test(body) ? body.replaceAll(/[\n\r]+/g, ' ') : body;
}
