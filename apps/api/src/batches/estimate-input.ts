import type { InputRequest } from '@nightshift/shared/batch';
import { estimateTokens } from '@nightshift/shared/tokens';

/** Every request is looked at up to here; after it one in ten, which costs a tenth and is near enough. */
const ALL_UP_TO = 10_000;
const ONE_IN = 10;

/** Requests that ask for the same amount of output. */
export interface OutputGroup {
  /** Over all choices; null where the requests set none. */
  limit: number | null;
  choices: number;
  /** Not whole where only a sample was looked at. */
  requests: number;
}

export interface ModelInput {
  requests: number;
  inputTokens: number;
  outputs: readonly OutputGroup[];
}

interface Sum {
  requests: number;
  /** The requests that were looked at. */
  looked: number;
  inputTokens: number;
  outputs: Map<string, OutputGroup>;
}

/** Adds up what the requests of a file ask for, by model. */
export function createInputEstimate() {
  const byModel = new Map<string, Sum>();
  let seen = 0;

  return {
    add: ({ url, model, body }: InputRequest): void => {
      const sum = byModel.get(model) ?? {
        ...{ requests: 0, looked: 0, inputTokens: 0 },
        outputs: new Map<string, OutputGroup>(),
      };
      byModel.set(model, sum);
      seen += 1;
      sum.requests += 1;
      // The first of a model always: what is skipped is judged by what was seen of it.
      if (seen > ALL_UP_TO && seen % ONE_IN !== 0 && sum.looked > 0) return;
      const { inputTokens, maxOutputTokens: limit, choices } = estimateTokens(url, model, body);
      sum.looked += 1;
      sum.inputTokens += inputTokens;
      const key = `${limit} ${choices}`;
      const group = sum.outputs.get(key) ?? { limit, choices, requests: 0 };
      sum.outputs.set(key, group);
      group.requests += 1;
    },
    isSampled: (): boolean => seen > ALL_UP_TO,
    models: (): Map<string, ModelInput> =>
      new Map([...byModel].map(([model, sum]) => [model, scaled(sum)])),
  };
}

/** From the requests that were looked at to all of them. */
function scaled({ requests, looked, inputTokens, outputs }: Sum): ModelInput {
  return {
    requests,
    inputTokens: Math.round((inputTokens * requests) / looked),
    outputs: [...outputs.values()].map((group) => ({
      ...group,
      requests: (group.requests * requests) / looked,
    })),
  };
}
