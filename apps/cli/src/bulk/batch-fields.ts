import {
  completionWindowRule,
  isTimeZone,
  parseCompletionWindow,
  timeOfDayPattern,
} from '@nightshift/shared/batch';
import { UsageError } from '../flags.ts';
import type { CommandLine, OptionTable } from './command-line.ts';
import type { BatchFields } from './client.ts';
import { duration } from './format.ts';
import { instantOf, pairsOf, secondsOf } from './values.ts';

/** What a batch is created with, named as the fields on the wire. */
export const batchOptions: OptionTable = {
  endpoint: {
    value: 'PATH',
    about:
      'such as /v1/responses; else what the first request of a JSONL file names, else /v1/chat/completions',
  },
  'completion-window': {
    value: 'WINDOW',
    about: '24h, or any from 1m to 14d; what is not done by then expires',
  },
  metadata: { value: 'KEY=VALUE', about: 'can be repeated' },
  'run-at': {
    value: 'TIME',
    about:
      'no request is called before: 22:00, 2026-11-22T02:00 or unix seconds; a time in the past means now',
  },
  'quiet-hours': {
    value: 'FROM-TO',
    about: 'requests are called only then, each day: 22:00-06:00',
  },
  'time-zone': {
    value: 'ZONE',
    about: 'of the quiet hours, such as Europe/Berlin; else that of this machine',
  },
  'output-expires-after': {
    value: 'SECONDS',
    about: 'how long the results are kept; 30d is fine too',
  },
};

/** @throws UsageError */
export function readBatchFields(line: CommandLine, nowMs: number): BatchFields {
  const window = line.one('completion-window') ?? '24h';
  if (parseCompletionWindow(window) === null) {
    throw new UsageError(
      `--completion-window ${completionWindowRule}, got ${JSON.stringify(window)}`,
    );
  }
  const metadata = pairsOf(line.all('metadata'), '--metadata');
  const runAt = instantOf(line.one('run-at'), '--run-at', nowMs);
  const keep = secondsOf(line.one('output-expires-after'), '--output-expires-after');
  const hours = readQuietHours(line);
  return {
    completion_window: window,
    ...(metadata && { metadata }),
    ...(runAt !== null && { run_at: runAt }),
    ...(hours && { quiet_hours: hours }),
    ...(keep !== null && { output_expires_after: { anchor: 'created_at', seconds: keep } }),
  };
}

/** A smaller difference may be clock skew, or the time that the command took. */
const LATE_MS = 60_000;

/**
 * The notice for a `--run-at` in the past. It is not refused: the same command, run again after that time, must resume the batch
 * that it submitted.
 */
export function lateStart(fields: BatchFields, nowMs: number): string | null {
  const { run_at: runAt } = fields;
  const lateMs = typeof runAt === 'number' ? nowMs - runAt * 1000 : 0;
  return lateMs < LATE_MS ? null : `--run-at was ${duration(lateMs)} ago, which means now`;
}

function readQuietHours(line: CommandLine): Record<string, string> | null {
  const hours = line.one('quiet-hours');
  const zone = line.one('time-zone') ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (hours === undefined) {
    if (line.has('time-zone'))
      throw new UsageError('--time-zone is for --quiet-hours, which is not given');
    return null;
  }
  const [start = '', end = '', ...more] = hours.split('-');
  if (
    more.length > 0 ||
    start === end ||
    ![start, end].every((time) => timeOfDayPattern.test(time))
  ) {
    throw new UsageError(
      `--quiet-hours must be two times such as 22:00-06:00, got ${JSON.stringify(hours)}`,
    );
  }
  if (!isTimeZone(zone)) {
    throw new UsageError(
      `--time-zone must be a time zone such as Europe/Berlin, got ${JSON.stringify(zone)}`,
    );
  }
  return { start, end, time_zone: zone };
}
