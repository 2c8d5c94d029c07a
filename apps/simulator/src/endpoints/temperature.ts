import { badRequest, type ProviderError } from '../errors.ts';
import type { JsonObject } from '../json.ts';

const HOTTEST = 2;

/** The mistake in a body that is well formed otherwise, in OpenAI's words; null when there is none. */
export function wrongTemperature({ temperature }: JsonObject): ProviderError | null {
  if (typeof temperature !== 'number') return null;
  const complain = (side: string, expected: string, code: string): ProviderError =>
    badRequest(
      `Invalid 'temperature': decimal ${side} value. Expected a value ${expected}, but got ${temperature} instead.`,
      'temperature',
      code,
    );
  if (temperature > HOTTEST) {
    return complain('above maximum', `<= ${HOTTEST}`, 'decimal_above_max_value');
  }
  return temperature < 0 ? complain('below minimum', '>= 0', 'decimal_below_min_value') : null;
}
