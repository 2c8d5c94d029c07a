import { FAULT_STATUSES, type Fault } from './fault.ts';

/** One fault of a name, and which attempts (or what share of calls) it strikes. */
export interface Step {
  fault: Fault;
  /** Strikes so many attempts of each distinct body; null for all of them. */
  times: number | null;
  /** Strikes with this probability, 0 to 1. */
  probability: number;
}

export type ParsedName = { ok: true; steps: Step[] } | { ok: false; reason: string };

const PREFIX = 'sim-';
const MODIFIERS = 'once, xN, pN (per cent), and on a status wait-MS or noheader';

/** Fault words without a parameter. */
const PLAIN: Record<string, Fault> = {
  ok: { kind: 'ok' },
  quota: { kind: 'quota' },
  hang: { kind: 'hang' },
  stall: { kind: 'stall' },
  reset: { kind: 'reset' },
  close: { kind: 'close' },
  html: { kind: 'html' },
  truncated: { kind: 'truncated' },
  halfjson: { kind: 'half_json' },
  shape: { kind: 'wrong_shape' },
  empty: { kind: 'empty' },
  endless: { kind: 'endless' },
  midstream: { kind: 'midstream' },
};

/** Fault words with a number after them: what they make of it, and the number when none is given. */
const NUMBERED: Record<string, { byDefault: number | null; step: (n: number) => Partial<Step> }> = {
  slow: { byDefault: null, step: (ms) => ({ fault: { kind: 'slow', ms } }) },
  drip: { byDefault: 10_000, step: (everyMs) => ({ fault: { kind: 'drip', every_ms: everyMs } }) },
  huge: { byDefault: 100, step: (megabytes) => ({ fault: { kind: 'huge', megabytes } }) },
  gzipbomb: { byDefault: 1000, step: (megabytes) => ({ fault: { kind: 'gzip_bomb', megabytes } }) },
  flaky: { byDefault: null, step: (percent) => ({ probability: percent / 100 }) },
  fail: { byDefault: null, step: (times) => ({ times }) },
};

/** True for a model name that asks for faults. */
export function isFaultName(model: string): boolean {
  return model.startsWith(PREFIX);
}

/**
 * Reads `sim-FAULT[-PARAMETER][-MODIFIER]…[--LABEL]`, for example `sim-429-once`,
 * `sim-slow-200-flaky-30` or `sim-429-x2-500-once--lane-b`. The label is ignored: it makes
 * several models (and so several lanes) with the same faults.
 */
export function parseFaultName(model: string): ParsedName {
  const label = model.indexOf('--');
  return parseFaultWords((label < 0 ? model : model.slice(0, label)).slice(PREFIX.length));
}

/** The same without the prefix, as rules and outages name their faults. */
export function parseFaultWords(text: string): ParsedName {
  const words = text.split('-');
  const steps: Step[] = [];
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const step = readStep(word, words);
    if (typeof step === 'string') return { ok: false, reason: step };
    if (step) steps.push(step);
    else {
      const last = steps.at(-1);
      const problem = last ? readModifier(word, words, last) : `"${word}" is no fault`;
      if (problem !== null) return { ok: false, reason: problem };
    }
  }
  return { ok: true, steps };
}

/** A step, null when the word names no fault, or what is wrong with it. */
function readStep(word: string, rest: string[]): Step | string | null {
  const always = { times: null, probability: 1 };
  const status = FAULT_STATUSES.find((status) => String(status) === word);
  if (status !== undefined) return { ...always, fault: { kind: 'status', status } };
  if (word === 'wrong' && rest[0] === 'type') {
    rest.shift();
    return { ...always, fault: { kind: 'wrong_type' } };
  }
  if (Object.hasOwn(PLAIN, word)) return { ...always, fault: PLAIN[word] ?? { kind: 'ok' } };
  if (!Object.hasOwn(NUMBERED, word)) return null;
  const numbered = NUMBERED[word];
  const given = readNumber(rest);
  const number = given ?? numbered?.byDefault ?? null;
  if (!numbered || number === null) return `"${word}" needs a number after it, as in ${word}-30`;
  if (number === 0 && word !== 'slow' && word !== 'flaky' && word !== 'fail') {
    return `"${word}" needs a number above 0`;
  }
  if (word === 'flaky' && number > 100) return '"flaky" takes a percentage, 0 to 100';
  return { ...always, fault: { kind: 'status', status: 500 }, ...numbered.step(number) };
}

function readNumber(rest: string[]): number | null {
  if (rest[0] === undefined || !/^\d{1,8}$/.test(rest[0])) return null;
  return Number(rest.shift());
}

/** Changes `step`; what is wrong when the word is no modifier, else null. */
function readModifier(word: string, rest: string[], step: Step): string | null {
  if (word === 'once') {
    step.times = 1;
    return null;
  }
  const times = /^x(\d{1,6})$/.exec(word);
  if (times) {
    step.times = Number(times[1]);
    return null;
  }
  const percent = /^p(\d{1,3})$/.exec(word);
  if (percent && Number(percent[1]) <= 100) {
    step.probability = Number(percent[1]) / 100;
    return null;
  }
  if (step.fault.kind === 'status' && word === 'noheader') {
    step.fault = { ...step.fault, headers: false };
    return null;
  }
  if (step.fault.kind === 'status' && word === 'wait') {
    const waitMs = readNumber(rest);
    if (waitMs === null) return '"wait" needs milliseconds after it, as in wait-1500';
    step.fault = { ...step.fault, wait_ms: waitMs };
    return null;
  }
  return `"${word}" is neither a fault nor a modifier (${MODIFIERS})`;
}
