import { BoundedMap } from '../bounded-map.ts';
import { decideSteps, WELL_BEHAVED, type Draws } from './decide.ts';
import type { Misbehaviour } from './fault.ts';
import { isFaultName, parseFaultName, type ParsedName } from './names.ts';
import type { Rules } from './rules.ts';

const parsedNames = new BoundedMap<ParsedName>(1000);

/** How a call is to go wrong: the first rule that matches, else what the model's name asks for. */
export function chooseMisbehaviour(
  rules: Rules,
  path: string,
  model: string,
  draws: Draws,
  nowMs: number,
): Misbehaviour {
  const scripted = rules.decide(path, model, draws, nowMs);
  if (scripted) return scripted;
  const parsed = parsedFaultName(model);
  return parsed?.ok ? decideSteps(parsed.steps, draws, 0) : WELL_BEHAVED;
}

/** The faults in a model's name, or null when it asks for none. */
export function parsedFaultName(model: string): ParsedName | null {
  if (!isFaultName(model)) return null;
  const known = parsedNames.get(model);
  if (known) return known;
  const parsed = parseFaultName(model);
  parsedNames.set(model, parsed);
  return parsed;
}
