import { z } from 'zod';
import { drawFor, purposes } from '../random.ts';
import { decideSteps, type Draws } from './decide.ts';
import { faultSchema, type Misbehaviour } from './fault.ts';
import { parseFaultWords, type Step } from './names.ts';

const stepSchema = z.strictObject({
  fault: faultSchema,
  times: z.int().min(1).nullable(),
  probability: z.number().min(0).max(1),
});

/**
 * A fault as an object, or in the words of the model names without `sim-`: "429-wait-2000-x3", or
 * the steps that such words are read as, which is how `GET /_simulator/config` shows them.
 */
export const faultsSchema = z.union([
  z.array(stepSchema).min(1),
  z.string().transform((words, context): Step[] => {
    const parsed = parseFaultWords(words);
    if (parsed.ok) return parsed.steps;
    context.addIssue({ code: 'custom', message: parsed.reason });
    return z.NEVER;
  }),
  faultSchema.transform((fault): Step[] => [{ fault, times: null, probability: 1 }]),
]);

const count = z.int().min(1);

export const ruleSchema = z.strictObject({
  /** All that is given must hold; an empty match is every call. */
  match: z
    .strictObject({
      /** A model name; a `*` at its end stands for any rest. */
      model: z.string().optional(),
      path: z.string().optional(),
      /** Which of the calls that match otherwise, counted from 1. */
      nth: z.union([count, z.strictObject({ from: count, to: count.optional() })]).optional(),
      every: count.optional(),
      /** Milliseconds since the rules were set (or the simulator was reset). */
      after_ms: z.number().min(0).optional(),
      until_ms: z.number().min(0).optional(),
      probability: z.number().min(0).max(1).optional(),
    })
    .default({}),
  fault: faultsSchema,
});

export type Rule = z.infer<typeof ruleSchema>;

/** The scripted faults: the first rule that matches a call decides about it. */
export class Rules {
  #rules: Array<Rule & { matched: number }> = [];
  #sinceMs: number;

  constructor(rules: readonly Rule[], nowMs: number) {
    this.#sinceMs = nowMs;
    this.set(rules, nowMs);
  }

  set(rules: readonly Rule[], nowMs: number): void {
    this.#rules = rules.map((rule) => ({ ...rule, matched: 0 }));
    this.#sinceMs = nowMs;
  }

  decide(path: string, model: string, draws: Draws, nowMs: number): Misbehaviour | null {
    for (const [index, rule] of this.#rules.entries()) {
      if (this.#matches(rule, path, model, draws, index, nowMs)) {
        return decideSteps(rule.fault, draws, (index + 1) * 64);
      }
    }
    return null;
  }

  #matches(
    rule: Rule & { matched: number },
    path: string,
    model: string,
    draws: Draws,
    index: number,
    nowMs: number,
  ): boolean {
    const { match } = rule;
    const age = nowMs - this.#sinceMs;
    if (match.model !== undefined && !modelMatches(match.model, model)) return false;
    if (match.path !== undefined && match.path !== path) return false;
    if (match.after_ms !== undefined && age < match.after_ms) return false;
    if (match.until_ms !== undefined && age >= match.until_ms) return false;
    rule.matched += 1;
    if (typeof match.nth === 'number' && rule.matched !== match.nth) return false;
    if (typeof match.nth === 'object') {
      const { from, to = Infinity } = match.nth;
      if (rule.matched < from || rule.matched > to) return false;
    }
    if (match.every !== undefined && rule.matched % match.every !== 0) return false;
    if (match.probability === undefined) return true;
    const purpose = purposes.fault + (index + 1) * 64 + 63;
    return drawFor(draws.seed, draws.digest, draws.attempt, purpose) < match.probability;
  }
}

/** `gpt-*` matches every model that starts with `gpt-`; without a `*` the names are equal. */
export function modelMatches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : pattern === model;
}
