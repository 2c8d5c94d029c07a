import { readFileSync } from 'node:fs';

/** Of this Nightshift: `0.1.0`. */
export function ownVersion(): string {
  // At the same place for the sources and for a built tree.
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export const versionText = (): string => `nightshift ${ownVersion()} (Node ${process.version})`;
