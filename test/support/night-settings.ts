/** `SEED=…` repeats a night, `AWAY_S=600` makes its outages as long as those of production. */
export const seed = readNumber('SEED', Math.floor(Math.random() * 1e9), 0);
/** How long the provider is away. */
export const awayMs = readNumber('AWAY_S', 100, 10) * 1000;

function readNumber(name: string, byDefault: number, least: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return byDefault;
  const number = Number(text);
  if (!Number.isInteger(number) || number < least) {
    throw new Error(`${name}: must be a whole number of at least ${least}, got ${text}`);
  }
  return number;
}
