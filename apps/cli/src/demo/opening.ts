import { join } from 'node:path';
import type { DemoSettings } from '../config.ts';
import { addresses, example } from '../welcome.ts';
import { count } from '../bulk/format.ts';
import { fileNames } from './files.ts';
import type { SampleLine } from './sample/sample.ts';
import { keyPrefix, type Stage } from './stage.ts';
import { row } from './wrap.ts';

export interface OpeningOptions {
  stage: Stage;
  settings: DemoSettings;
  lines: readonly SampleLine[];
  concurrency: number;
}

/** What runs, and what it is about to work on. */
export function opening({ stage, settings, lines, concurrency }: OpeningOptions): string {
  return [
    'Nightshift demo: a night in miniature, on a stack of its own',
    '',
    row('provider', settings.provider.describe),
    row('redis', stage.redis.describe),
    row('api', stage.apiUrl),
    row('workers', `2 processes, ${concurrency} calls at once each`),
    row('files', stage.folder),
    '',
    `The work: a file of ${count(lines.length)} requests, as OpenAI's Batch API takes it`,
    ...tasks(lines).map(([name, text]) => row(name, text)),
    '',
  ].join('\n');
}

const TASKS: Readonly<Record<string, string>> = {
  triage: "sort a customer's mail, answer in JSON",
  reply: 'draft a reply to a mail',
  review: 'sum up a review in one sentence',
};

/** How many of which kind, and on which model. */
function tasks(lines: readonly SampleLine[]): [name: string, text: string][] {
  const good = Map.groupBy(
    lines.filter(({ expect }) => expect.kind === 'answered'),
    ({ customId }) => customId.replace(/-\d+$/, ''),
  );
  const wrong = lines.filter(({ expect }) => expect.kind === 'refused').length;
  return [
    ...[...good].map(([task, some]): [string, string] => [
      task,
      `${count(some.length)} × ${TASKS[task] ?? task} (${some[0]?.body.model})`,
    ]),
    ...(wrong === 0
      ? []
      : [['on purpose', `${wrong} × wrong, the provider must refuse it`] as [string, string]]),
  ];
}

/** Where everything is that the demo leaves. */
export function whereFilesAre(stage: Stage, runId: string): string {
  const paths = Object.entries(fileNames).map(([name, file]) => [name, join(stage.folder, file)]);
  const isShared = stage.redis.kind === 'url';
  return [
    'Files (they stay; remove the folder when you like)',
    ...paths.map(([name = '', path = '']) => row(name, path)),
    row('logs', join(stage.folder, 'logs')),
    row('data', join(stage.folder, 'data')),
    ...(isShared ? [row('in Redis', `keys that begin with ${keyPrefix(runId)}`)] : []),
  ].join('\n');
}

export const verdict = (simulated: boolean): string =>
  [
    'All as it should be: each line has exactly one result, and the counts are those',
    simulated
      ? "of the files; each answer is the provider's own to that very line, and no call\nwas made again without need."
      : 'of the files.',
  ].join('\n');

/** What can be done with a stack that stays up. */
export const outlook = (apiUrl: string): string => `
The stack stays up until Ctrl-C.

${addresses(apiUrl)}

${example(apiUrl, false)}`;
