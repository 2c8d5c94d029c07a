export { costUsd, findPrice, type Price, type PriceTable } from './price.ts';
export { publicPrices, publicPricesDate } from './public-prices.ts';
export { usageFromAnswer, type Usage } from './usage.ts';
