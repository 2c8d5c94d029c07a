/** A line of a batch's results. */
export interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: unknown } | null;
  error: { code: string; message: string } | null;
}

/** What a spreadsheet wants of a result. */
export interface ResultCells {
  answer: string;
  error: string;
  inputTokens: string;
  outputTokens: string;
}

type Loose = Record<string, unknown> | undefined;

export function cellsOf({ response, error }: ResultLine): ResultCells {
  const body = response?.body as Loose;
  const isGood = response !== null && response.status_code >= 200 && response.status_code < 300;
  const usage = body?.['usage'] as Loose;
  const tokens = (...names: string[]): string =>
    String(names.map((name) => usage?.[name]).find((value) => typeof value === 'number') ?? '');
  return {
    answer: isGood ? answerOf(body) : '',
    error: isGood ? '' : errorOf(response, body, error),
    inputTokens: tokens('prompt_tokens', 'input_tokens'),
    outputTokens: tokens('completion_tokens', 'output_tokens'),
  };
}

function errorOf(
  response: ResultLine['response'],
  body: Loose,
  error: ResultLine['error'],
): string {
  if (response === null) return error === null ? 'no answer' : `${error.code}: ${error.message}`;
  const told = (body?.['error'] as Loose)?.['message'];
  return `${response.status_code}: ${typeof told === 'string' ? told : JSON.stringify(body ?? null)}`;
}

/** The heart of an answer, by the shape that its endpoint has; what has no text as JSON. */
function answerOf(body: Loose): string {
  const choice = first(body?.['choices']);
  const message = choice?.['message'] as Loose;
  if (typeof message?.['content'] === 'string') return message['content'];
  if (message !== undefined) return JSON.stringify(message['tool_calls'] ?? message);
  if (typeof choice?.['text'] === 'string') return choice['text'];
  const texts = list(body?.['output'])
    .flatMap((item) => list(item?.['content']))
    .map((part) => part?.['text'])
    .filter((text) => typeof text === 'string');
  if (texts.length > 0) return texts.join('\n');
  const vector = first(body?.['data'])?.['embedding'];
  if (vector !== undefined) return typeof vector === 'string' ? vector : JSON.stringify(vector);
  const moderation = first(body?.['results']);
  if (moderation !== undefined) return JSON.stringify(moderation);
  return JSON.stringify(body ?? null);
}

const list = (value: unknown): Loose[] => (Array.isArray(value) ? (value as Loose[]) : []);
const first = (value: unknown): Loose => list(value)[0];
