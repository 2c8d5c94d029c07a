import type { JobView } from './client.ts';
import type { SampleJob } from './kinds.ts';

type Loose = Record<string, unknown> | undefined;

/** The last thing that a request asks, in one line. */
export function promptOf({ request: { body } }: SampleJob): string {
  const { messages, input } = body as { messages?: { content: string }[]; input?: string };
  return oneLine(messages?.at(-1)?.content ?? input ?? '');
}

/** The heart of a provider's answer, in one line, by the shape that its endpoint has. */
export function answerOf(job: Pick<JobView, 'response'>): string {
  const body = job.response?.body as Loose;
  const choice = first(body?.['choices']);
  const message = choice?.['message'] as Loose;
  if (typeof message?.['content'] === 'string') return oneLine(message['content']);
  const output = Array.isArray(body?.['output']) ? (body['output'] as Loose[]) : [];
  const texts = output
    .flatMap((item) => (Array.isArray(item?.['content']) ? (item['content'] as Loose[]) : []))
    .map((part) => part?.['text'])
    .filter((text) => typeof text === 'string');
  if (texts.length > 0) return oneLine(texts.join(' '));
  const vector = first(body?.['data'])?.['embedding'];
  if (Array.isArray(vector)) {
    const some = vector.slice(0, 3).map((value) => Number(value).toFixed(3));
    return `a vector of ${vector.length} numbers: ${some.join(', ')} …`;
  }
  const flagged = first(body?.['results'])?.['flagged'];
  if (typeof flagged === 'boolean') return flagged ? 'flagged' : 'not flagged';
  return oneLine(JSON.stringify(body ?? null));
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

const first = (list: unknown): Loose => (Array.isArray(list) ? (list[0] as Loose) : undefined);
const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
