import { chat, mail, reply, review, triage, type ChatBody } from './requests.ts';

/** What a line is meant to come to: an answer, or a refusal with that status and code. */
type Expectation =
  | { kind: 'answered' }
  | { kind: 'refused'; status: number; code: string; because: string };

/** One line of the input file, and what is to come of it. */
export interface SampleLine {
  customId: string;
  body: ChatBody;
  expect: Expectation;
}

export const models = {
  triage: 'gpt-4.1-nano',
  reply: 'gpt-4o-mini',
  review: 'gpt-4.1-mini',
  /** Takes its time. */
  slow: 'o3',
  /** May be used little: fewer tokens a minute than a long thread has. */
  thread: 'gpt-4.1',
  /** Not served any more. */
  retired: 'o1-mini',
} as const;

/** The file of the simulated run: the mail of a day, of which six lines are wrong on purpose. */
export function sampleLines(): SampleLine[] {
  const wrong = wrongLines();
  const groups = [
    times(300, (n) => line('triage', n, triage(n, models.triage))),
    times(118, (n) => line('reply', 2 * n, reply(2 * n, models.reply))),
    times(56, (n) => line('review', n, review(n, models.review))),
    wrong,
  ];
  // The simulated provider's ledger knows a line again by this field.
  return mixed(groups).map((item) => ({ ...item, body: { ...item.body, user: item.customId } }));
}

/** The file for a provider that costs money: six short lines, nothing that is meant to fail. */
export function smallSample(): SampleLine[] {
  return [
    ...times(3, (n) => line('triage', n, triage(n, models.reply))),
    ...times(2, (n) => line('reply', n, reply(n, models.reply))),
    line('review', 0, review(0, models.reply)),
  ];
}

function wrongLines(): SampleLine[] {
  const refused = (status: number, code: string, because: string): Expectation => ({
    kind: 'refused',
    ...{ status, code, because },
  });
  const retired = refused(404, 'model_not_found', 'a model that is not served any more');
  const tooHot = refused(400, 'decimal_above_max_value', 'a temperature that no model takes');
  const tooLong = refused(
    429,
    'rate_limit_exceeded',
    'a thread of mails that is longer than the limit',
  );
  const thread = times(600, (n) => `> ${mail(n).replaceAll('\n', '\n> ')}`).join('\n\n');
  return [
    ...times(3, (n) => line('old', n, reply(n, models.retired), retired)),
    ...times(2, (n) => line('hot', n, { ...reply(n, models.reply), temperature: 3 }, tooHot)),
    line('thread', 0, chat(models.thread, 'thread', thread, 300), tooLong),
  ];
}

function line(
  task: string,
  n: number,
  body: ChatBody,
  expect: Expectation = { kind: 'answered' },
): SampleLine {
  return { customId: `${task}-${String(n + 1).padStart(4, '0')}`, body, expect };
}

/** The input file of a batch. */
export const inputFile = (lines: readonly SampleLine[]): string =>
  lines
    .map(({ customId, body }) =>
      JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body }),
    )
    .map((text) => `${text}\n`)
    .join('');

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

/** Spreads the groups evenly over one list, as a day's work comes in. */
function mixed<T>(groups: readonly (readonly T[])[]): T[] {
  return groups
    .flatMap((group) => group.map((item, n) => ({ item, at: (n + 0.5) / group.length })))
    .sort((left, right) => left.at - right.at)
    .map(({ item }) => item);
}
