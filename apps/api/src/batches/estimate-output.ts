import type { BatchDryRun } from '@nightshift/shared/http';
import { expectedLength, type AnswerLengths } from '@nightshift/shared/lane';
import { OUTPUT_BEFORE_ANY } from '@nightshift/shared/tokens';
import type { OutputGroup } from './estimate-input.ts';
import { countOf } from './words.ts';

/** Fewer answers are not a usable sample. */
const FEWEST_ANSWERS = 5;

export type OutputBasis = BatchDryRun['estimate']['output_basis'];

/** Estimated output tokens of one model's requests. */
export interface OutputEstimate {
  likely: number;
  /** The limits of requests that set one, plus the likely output of the others. */
  bounded: number;
  /** The sum of all limits; null if a request sets none. */
  atMost: number | null;
  unlimitedRequests: number;
  basis: OutputBasis;
}

/** @param lengths of the lane's earlier answers at this endpoint; null if there are none */
export function estimateOutput(
  outputs: readonly OutputGroup[],
  lengths: AnswerLengths | null,
): OutputEstimate {
  const learned = lengths !== null && lengths.answers >= FEWEST_ANSWERS ? lengths : null;
  let likely = 0;
  let limited = 0;
  let likelyOfUnlimited = 0;
  let unlimitedRequests = 0;
  for (const { limit, choices, requests } of outputs) {
    const each = (limit ?? Infinity) / choices;
    const length =
      learned === null ? Math.min(OUTPUT_BEFORE_ANY, each) : expectedLength(learned, each);
    likely += requests * choices * length;
    if (limit === null) {
      likelyOfUnlimited += requests * choices * length;
      unlimitedRequests += requests;
    } else limited += requests * limit;
  }
  return {
    likely: Math.round(likely),
    bounded: Math.round(limited + likelyOfUnlimited),
    atMost: unlimitedRequests > 0 ? null : Math.round(limited),
    unlimitedRequests: Math.round(unlimitedRequests),
    basis: basisOf(outputs, learned),
  };
}

function basisOf(outputs: readonly OutputGroup[], learned: AnswerLengths | null): OutputBasis {
  if (outputs.every(({ limit }) => limit === 0)) {
    return { source: 'none', answers: 0, message: 'nothing is generated' };
  }
  return learned === null
    ? { source: 'assumed', answers: 0, message: assumption(outputs) }
    : { source: 'learned', answers: learned.answers, message: lesson(learned.answers) };
}

const lesson = (answers: number): string => `learned from ${countOf(answers, 'earlier answer')}`;

function assumption(outputs: readonly Pick<OutputGroup, 'limit'>[]): string {
  const isOpen = outputs.some(({ limit }) => limit === null);
  const bound = isOpen
    ? '; `--max-tokens`, or its field in each body, bounds it'
    : ', or its limit where that is less';
  return `assumes ${OUTPUT_BEFORE_ANY} tokens an answer${bound}`;
}

/** Combines the bases of a batch's models. */
export function joinBases(
  models: readonly { basis: OutputBasis; unlimitedRequests: number }[],
): OutputBasis {
  const bases = models.map(({ basis }) => basis).filter(({ source }) => source !== 'none');
  const [first] = bases;
  if (first === undefined) return { source: 'none', answers: 0, message: 'nothing is generated' };
  const learned = bases.filter(({ source }) => source === 'learned');
  const answers = learned.reduce((sum, basis) => sum + basis.answers, 0);
  if (learned.length === bases.length) {
    return { source: 'learned', answers, message: lesson(answers) };
  }
  const open = models.filter(({ basis }) => basis.source === 'assumed');
  const assumed = assumption(
    open.map(({ unlimitedRequests }) => ({ limit: unlimitedRequests > 0 ? null : 1 })),
  );
  if (learned.length === 0) return { source: 'assumed', answers, message: assumed };
  const some = `${countOf(learned.length, 'model')} ${lesson(answers)}`;
  return { source: 'mixed', answers, message: `${some}; for the others it ${assumed}` };
}
