import type { Usage } from './usage.ts';

/** US dollars per million tokens. A cached input token costs `cachedInput` where it is set, else `input`. */
export interface Price {
  input: number;
  cachedInput?: number | undefined;
  output: number;
}

/** Model name → price. A name that ends in `*` stands for all that begin so; the longest match wins. */
export type PriceTable = Readonly<Record<string, Price>>;

/**
 * The price of a model, by its exact name, then without a date at its end (`gpt-4o-2024-08-06` is `gpt-4o`), then by
 * the longest pattern. Undefined when the table does not know it.
 */
export function findPrice(table: PriceTable, model: string): Price | undefined {
  if (Object.hasOwn(table, model)) return table[model];
  const undated = model.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  if (Object.hasOwn(table, undated)) return table[undated];
  const pattern = Object.keys(table)
    .filter((name) => name.endsWith('*') && model.startsWith(name.slice(0, -1)))
    .toSorted((a, b) => b.length - a.length)[0];
  return pattern === undefined ? undefined : table[pattern];
}

/** Dollars for this usage, or null when the price is not known: unknown is not free. */
export function costUsd(price: Price | undefined, usage: Usage | null): number | null {
  if (price === undefined || usage === null) return null;
  const fresh = Math.max(0, usage.inputTokens - usage.cachedInputTokens);
  const dollars =
    (fresh * price.input +
      usage.cachedInputTokens * (price.cachedInput ?? price.input) +
      usage.outputTokens * price.output) /
    1_000_000;
  // Binary fractions of a cent are noise; a trillionth of a dollar is below any price list.
  return Number(dollars.toFixed(12));
}
