import { styleText } from 'node:util';
import { clockTime, count, duration, money, rate, short } from './format.ts';
import { describeLimit, type LimitInForce } from './limits-in-force.ts';
import type { BatchProgress } from './progress.ts';

export interface ViewOptions {
  /** Of the terminal. */
  columns: number;
  color: boolean;
}

const MOST_LIMITS = 3;
/** Most lines for the reason to wait, on a narrow terminal. */
const MOST_REASON_LINES = 6;
const BAR = { most: 40, least: 8 } as const;
/** A terminal that says nothing about its width, or something absurd. */
const FEWEST_COLUMNS = 20;

/** Where a batch stands, in a few lines of at most `columns` characters for a terminal. */
export function progressView(progress: BatchProgress, { columns, color }: ViewOptions): string[] {
  const width = Math.max(FEWEST_COLUMNS, columns);
  const paint: Paint = (format, text) =>
    color ? styleText(format, text, { validateStream: false }) : text;
  const fit = (given: string): string => {
    const text = clean(given);
    return text.length > width ? `${text.slice(0, width - 1)}…` : text;
  };
  const lines = [fit(headline(progress)), barLine(progress, width, paint)];
  lines.push(...[figuresLine(progress)].filter((text) => text !== '').map(fit));
  if (progress.waitingFor !== null) {
    const sentence = wrap(clean(progress.waitingFor.message), width, MOST_REASON_LINES);
    lines.push(...sentence.map((text) => paint('yellow', text)));
  }
  const shown = worthShowing(progress);
  const limits = shown.slice(0, MOST_LIMITS);
  for (const limit of limits) {
    const text = fit(describeLimit(limit, progress.atMs));
    lines.push(paint(limit.state === 'open' ? 'dim' : 'yellow', text));
  }
  const more = shown.length - limits.length;
  if (more > 0) lines.push(paint('dim', fit(`and ${more} more models`)));
  return lines;
}

/** Removes control characters, so that foreign text cannot move the cursor. */
function clean(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

/** Leaves out limits of lanes that the reason to wait already describes. */
function worthShowing({ limits, waitingFor }: BatchProgress): LimitInForce[] {
  return waitingFor === null
    ? limits
    : limits.filter(({ state, reason }) => state === 'open' || reason !== waitingFor.reason);
}

/** Wraps text at spaces into at most `most` lines of `width` characters; cuts the last line. */
export function wrap(text: string, width: number, most: number): string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (rest !== '' && lines.length < most) {
    const isLast = lines.length === most - 1;
    if (rest.length <= width) return [...lines, rest];
    if (isLast) return [...lines, `${rest.slice(0, width - 1)}…`];
    const space = rest.lastIndexOf(' ', width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trim();
  }
  return lines;
}

type Paint = (format: 'green' | 'red' | 'yellow' | 'dim', text: string) => string;

function headline({ id, status, paused, elapsedMs }: BatchProgress): string {
  const stands = `${status.replace('_', ' ')}${paused ? ', paused' : ''}`;
  return `${id}  ${stands}, ${duration(elapsedMs)}`;
}

function barLine(progress: BatchProgress, width: number, paint: Paint): string {
  const { total, done, failed } = progress;
  if (total === 0) return beforeTheFirst(progress);
  const figures = [
    `${count(done)} of ${count(total)}`,
    `${Math.floor((done / total) * 100)} %`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
  ].join(', ');
  const cells = Math.min(BAR.most, width - figures.length - 3);
  if (cells < BAR.least) return figures.slice(0, width);
  // One failure in a million is one cell: what failed must not be overlooked.
  const filled = Math.floor((done / total) * cells);
  const red = failed === 0 ? 0 : Math.min(filled, Math.ceil((failed / total) * cells));
  const bar = [
    paint('green', '#'.repeat(filled - red)),
    paint('red', 'x'.repeat(red)),
    paint('dim', '.'.repeat(cells - filled)),
  ].join('');
  return `[${bar}] ${figures}`;
}

function beforeTheFirst({ isSettled, waitingFor }: BatchProgress): string {
  if (isSettled) return 'no requests';
  return waitingFor === null ? 'the input is being checked' : 'the input has not been checked yet';
}

function figuresLine(progress: BatchProgress): string {
  const { perSecond, waitingFor, inputTokens, outputTokens, costUsd, done } = progress;
  const tokens = inputTokens + outputTokens;
  return [
    ...(perSecond === null || waitingFor !== null ? [] : [`${rate(perSecond)}/s`]),
    ...(tokens === 0 ? [] : [`${short(inputTokens)} tokens in, ${short(outputTokens)} out`]),
    ...(done === 0 ? [] : [costUsd === null ? 'cost unknown' : money(costUsd)]),
    ...whenItEnds(progress),
  ].join(' · ');
}

function whenItEnds(progress: BatchProgress): string[] {
  const { atMs, isSettled, estimatedEndMs, expiresAtMs, startsAtMs, quietHours, waitingFor } =
    progress;
  if (isSettled) return [];
  if (waitingFor !== null && startsAtMs === null) return [];
  if (startsAtMs !== null) return [`starts at ${clockTime(startsAtMs, atMs)}`];
  if (estimatedEndMs === null) {
    return quietHours === null
      ? []
      : [`runs ${quietHours.start} to ${quietHours.end} ${quietHours.time_zone}`];
  }
  if (estimatedEndMs > expiresAtMs) return [`expires first, at ${clockTime(expiresAtMs, atMs)}`];
  if (estimatedEndMs - atMs < 1000) return ['ends any moment'];
  return [
    `ends in about ${duration(estimatedEndMs - atMs)}, at ${clockTime(estimatedEndMs, atMs)}`,
  ];
}
