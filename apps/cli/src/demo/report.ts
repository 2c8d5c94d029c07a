import type { Call } from './calls.ts';
import { outcomeOf } from './check.ts';
import { figures } from './figures.ts';
import type { Night } from './night.ts';
import { answerOf, promptOf } from './results.ts';
import type { SampleLine } from './sample/sample.ts';
import { cut, row } from './wrap.ts';

export interface ReportInput {
  lines: readonly SampleLine[];
  night: Night;
  /** What the simulated provider received, or null with a real one. */
  ledger: readonly Call[] | null;
}

/** What a night came to, ready to print. */
export function report(input: ReportInput): string {
  return [figures(input), examples(input), troubles(input)]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** The first answers of each kind. */
function examples({ lines, night: { output }, ledger }: ReportInput): string[] {
  const bodies = new Map(output.map((line) => [line.custom_id, line.response?.body]));
  const shown = new Map<string, number>();
  const rows = lines.flatMap(({ customId, body }) => {
    const task = customId.replace(/-\d+$/, '');
    const times = shown.get(task) ?? 0;
    if (!bodies.has(customId) || times === EXAMPLES_OF_A_KIND) return [];
    shown.set(task, times + 1);
    return [row(customId, cut(promptOf(body))), row('', `-> ${answerOf(bodies.get(customId))}`)];
  });
  const title = `Some of the answers${ledger === null ? '' : ' (made up by the simulated provider)'}`;
  return rows.length === 0 ? [] : [title, ...rows];
}

const EXAMPLES_OF_A_KIND = 2;

/** What failed in groups, as the API tells them, and why it was to fail. */
function troubles({ lines, night: { groups, failures } }: ReportInput): string[] {
  const expected = new Map(lines.map(({ customId, expect }) => [customId, expect]));
  const outcomes = new Map(failures.map((line) => [line.custom_id, outcomeOf(line)]));
  const rows = groups.data.flatMap(({ count: times, message, custom_ids: ids, code }) => {
    const [first = ''] = ids;
    const expect = expected.get(first);
    const because = expect?.kind === 'refused' ? expect.because : 'not on purpose';
    return [
      row(`${times} ×`, `${outcomes.get(first) ?? code}: ${because}`),
      row('', `${first}: "${message}"`),
    ];
  });
  return rows.length === 0 ? [] : ['Failed on purpose', ...rows];
}
