import type { SettingsInput } from '@nightshift/simulator';
import { complaints, praise, type Opinion } from './reviews.ts';
import { models } from './sample.ts';
import { troubles } from './tickets.ts';

type Answer = NonNullable<SettingsInput['answers']>[number];

/** A pattern for prompts that have all of these, in any order. Tried at the beginning only, since some are long. */
const having = (...patterns: string[]): string =>
  `^${patterns.map((pattern) => `(?=.*${pattern})`).join('')}`;

const ORDER = 'order (?<order>#\\d+)';
const NAME = 'Regards,\\n(?<name>[^,]+),';

const answers: Answer[] = [
  ...troubles.map(({ sign, triage }) => ({
    when: having('Sort the mail\\.', sign, ORDER),
    say: JSON.stringify({ ...triage, order: '$<order>' }),
  })),
  ...troubles.map(({ sign, reply }) => ({
    when: having(sign, ORDER, NAME),
    say: reply.replace('NAME', '$<name>').replace('ORDER', '$<order>'),
  })),
  ...praise.flatMap((good) => complaints.map((bad) => reviewAnswer(good, bad))),
];

function reviewAnswer(good: Opinion, bad: Opinion): Answer {
  return {
    when: having('The (?<item>[^:\\n]+):', good.sign, bad.sign),
    say: `The $<item> is ${good.inShort}; ${bad.inShort}.`,
  };
}

/** How the simulated provider behaves in the demo. */
export const simulatorScript: SettingsInput = {
  models: [models.triage, models.reply, models.review],
  latency: 'lognormal:900,0.5',
  // Somebody else used the same limits just before.
  start_level: 0.1,
  limits: {
    [models.triage]: { requests_per_minute: 900 },
    [models.reply]: { tokens_per_minute: 70_000 },
    [models.review]: { tokens_per_minute: 30_000 },
    [models.thread]: { tokens_per_minute: 20_000 },
  },
  rules: [
    { match: { model: models.retired }, fault: '404' },
    { match: { model: models.slow }, fault: 'slow-120000' },
    // It refuses a call now and then although its headers left room, and has its bad moments.
    { match: { model: models.triage, every: 90 }, fault: '429-wait-1200' },
    { match: { model: models.reply, probability: 0.04 }, fault: '500' },
    { match: { model: models.review, probability: 0.04 }, fault: 'reset' },
  ],
  answers,
};
