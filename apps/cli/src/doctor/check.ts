/** All causes, the most important first. The report opens with the first one found. */
export const causes = [
  'settings',
  'redis_away',
  'redis_full',
  'redis_not_durable',
  'redis_too_old',
  'api_away',
  'api_key',
  'no_worker',
  'storage',
  'provider_key',
  'provider_unreachable',
  'lane_paused',
  'models',
  'worker_silent',
  'clock',
] as const;
export type Cause = (typeof causes)[number];

/** One line of the report. */
export interface Check {
  /** What was checked: `redis`, `provider openai`. */
  name: string;
  /** `note`: no fault, or not known. `mended`: a fault that this run repaired. */
  state: 'ok' | 'note' | 'mended' | 'wrong';
  message: string;
  /** The fix; null if nothing has to be done. */
  remedy: string | null;
  /** Null unless it is wrong. */
  cause: Cause | null;
}

export const ok = (name: string, message: string): Check => ({
  ...{ name, state: 'ok', message, remedy: null, cause: null },
});

export const note = (name: string, message: string, remedy: string | null = null): Check => ({
  ...{ name, state: 'note', message, remedy, cause: null },
});

export const mended = (name: string, message: string): Check => ({
  ...{ name, state: 'mended', message, remedy: null, cause: null },
});

export const wrong = (
  cause: Cause,
  name: string,
  message: string,
  remedy: string | null,
): Check => ({ ...{ name, state: 'wrong', message, remedy, cause } });
