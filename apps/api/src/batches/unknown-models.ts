import { closestMatch } from 'leven';
import { routeModel } from '@nightshift/shared/config';
import type { BatchDryRun } from '@nightshift/shared/http';
import { findPrice } from '@nightshift/shared/usage';
import type { BatchContext } from './batch-context.ts';

type Warning = BatchDryRun['warnings'][number];

const MAX_WARNINGS = 20;
/** A job creates a lane even for a misspelled model, so only names with an answer are suggested. Reads the history of this many. */
const MAX_LOOKED_AT = 20;

/** Warns about models without a price, a route of their own or an earlier answer: they are probably misspelled. */
export async function warnOfModels(
  context: Pick<BatchContext, 'configuration' | 'lanes'>,
  models: readonly { model: string; isAnswered: boolean }[],
): Promise<Warning[]> {
  const { configuration } = context;
  const unknown = models
    .filter(
      ({ model, isAnswered }) =>
        !isAnswered &&
        findPrice(configuration.prices, model) === undefined &&
        !configuration.routes.some(({ match }) => match === model),
    )
    .slice(0, MAX_WARNINGS);
  if (unknown.length === 0) return [];
  const named = [
    ...Object.keys(configuration.prices),
    ...configuration.routes.map(({ match }) => match),
  ].filter((name) => !name.endsWith('*') && routeModel(configuration, name) !== undefined);
  const lanes = await context.lanes.all();
  return await Promise.all(
    unknown.map(async ({ model }) => {
      const answered = await answeredNames(context, model, lanes);
      return warningOf(model, nearestModel(model, [...named, ...answered]));
    }),
  );
}

/** Similar model names whose lane has had an answer. */
async function answeredNames(
  { lanes }: Pick<BatchContext, 'lanes'>,
  model: string,
  all: readonly { id: string; model: string }[],
): Promise<string[]> {
  const near = all
    .filter((lane) => lane.model !== model && nearestModel(model, [lane.model]) !== null)
    .slice(0, MAX_LOOKED_AT);
  const names = await Promise.all(
    near.map(async (lane) => {
      const { lengths } = await lanes.history(lane.id);
      return lengths.size > 0 ? [lane.model] : [];
    }),
  );
  return names.flat();
}

/** The name that was probably meant: up to a third of its letters may differ. Null if none is that near. */
export function nearestModel(model: string, names: readonly string[]): string | null {
  const maxDistance = Math.max(1, Math.min(4, Math.floor(model.length / 3)));
  return closestMatch(model, names, { maxDistance }) ?? null;
}

function warningOf(model: string, suggestion: string | null): Warning {
  const hint = suggestion === null ? '' : `; did you mean ${suggestion}?`;
  const message = `${model}: no price, no earlier call${hint}`;
  return { code: 'unknown_model', message, model, suggestion };
}
