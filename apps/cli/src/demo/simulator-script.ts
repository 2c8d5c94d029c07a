import type { SettingsInput } from '@nightshift/simulator';
import { LIMITED_MODEL } from './jobs.ts';

/** How the simulated provider behaves in the demo, apart from what the models' names ask for. */
export const simulatorScript: SettingsInput = {
  models: ['gpt-4.1-nano', LIMITED_MODEL, 'gpt-4o-mini', 'text-embedding-3-small'],
  latency: 'lognormal:450,0.4',
  output_tokens: 40,
  rules: [
    // Its rate limit is reached: the sixth call gets 429 and is told to come back in 3 s.
    { match: { model: LIMITED_MODEL, nth: 6 }, fault: '429-wait-3000' },
  ],
};
