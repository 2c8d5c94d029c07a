import { z } from 'zod';

/** How long an answer takes, in milliseconds. */
export type Latency =
  | { kind: 'fixed'; ms: number }
  | { kind: 'uniform'; min_ms: number; max_ms: number }
  | { kind: 'log_normal'; median_ms: number; sigma: number };

const ms = z.number().min(0).max(86_400_000);

const latencyObject = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fixed'), ms }),
    z.strictObject({ kind: z.literal('uniform'), min_ms: ms, max_ms: ms }),
    z.strictObject({
      kind: z.literal('log_normal'),
      median_ms: ms,
      sigma: z.number().min(0).max(5),
    }),
  ])
  .refine((latency) => latency.kind !== 'uniform' || latency.min_ms <= latency.max_ms, {
    message: 'min_ms must not be above max_ms',
  });

const FORMS = 'a number of milliseconds, "uniform:100-500" or "lognormal:2000,0.5"';

/** `250`, `"uniform:100-500"`, `"lognormal:2000,0.5"` (median, sigma), or the object itself. */
export const latencySchema = z.union(
  [
    ms.transform((value): Latency => ({ kind: 'fixed', ms: value })),
    z.string().transform((text, context): Latency => {
      const latency = parseLatency(text);
      if (latency) return latency;
      context.addIssue({ code: 'custom', message: `must be ${FORMS}` });
      return z.NEVER;
    }),
    latencyObject,
  ],
  { error: `must be ${FORMS}` },
);

function parseLatency(text: string): Latency | null {
  const number = String.raw`(\d+(?:\.\d+)?)`;
  const fixed = new RegExp(`^${number}$`).exec(text);
  if (fixed) return { kind: 'fixed', ms: Number(fixed[1]) };
  const uniform = new RegExp(`^uniform:${number}-${number}$`).exec(text);
  if (uniform && Number(uniform[1]) <= Number(uniform[2])) {
    return { kind: 'uniform', min_ms: Number(uniform[1]), max_ms: Number(uniform[2]) };
  }
  const logNormal = new RegExp(`^lognormal:${number},${number}$`).exec(text);
  if (logNormal) {
    return { kind: 'log_normal', median_ms: Number(logNormal[1]), sigma: Number(logNormal[2]) };
  }
  return null;
}

/** One latency in milliseconds from two independent draws in [0, 1). */
export function sampleLatency(latency: Latency, draw: number, pair: number): number {
  switch (latency.kind) {
    case 'fixed':
      return latency.ms;
    case 'uniform':
      return latency.min_ms + draw * (latency.max_ms - latency.min_ms);
    case 'log_normal': {
      // Box-Muller; 1 - draw keeps the logarithm away from zero.
      const normal = Math.sqrt(-2 * Math.log(1 - draw)) * Math.cos(2 * Math.PI * pair);
      return latency.median_ms * Math.exp(latency.sigma * normal);
    }
    default:
      return latency satisfies never;
  }
}
