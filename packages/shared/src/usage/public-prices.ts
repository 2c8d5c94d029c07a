import type { PriceTable } from './price.ts';

/** The day on which these list prices were collected. Prices change: set `prices` in the configuration file. */
export const publicPricesDate = '2026-11-21';

export const publicPrices: PriceTable = {};
