/** A line of an output or error file. */
export interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: AnswerBody } | null;
  error: { code: string; message: string } | null;
}

/** What the demo reads of a chat completion, or of an error in OpenAI's envelope. */
export interface AnswerBody {
  id?: string;
  choices?: { message: { content: string | null } }[];
  usage?: { prompt_tokens: number; completion_tokens: number };
  error?: { code: string | null; message: string };
}

/** @throws an error that names the file and the line which is no JSON */
export function parseResults(name: string, text: string): ResultLine[] {
  const lines = text === '' ? [] : text.trimEnd().split('\n');
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as ResultLine;
    } catch (error) {
      throw new Error(`${name}, line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** What was answered, in one line. */
export const answerOf = (body: AnswerBody | undefined): string =>
  oneLine(body?.choices?.[0]?.message.content ?? JSON.stringify(body ?? null));

/** The last thing that a request asks, in one line. */
export const promptOf = ({ messages }: { messages: { content: string }[] }): string =>
  oneLine(messages.at(-1)?.content ?? '');

/** JSON is spaced, so that it can be broken where a line ends. */
const oneLine = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').replaceAll('","', '", "').trim();
