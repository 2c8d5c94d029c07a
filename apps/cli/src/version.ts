import { readFileSync } from 'node:fs';

/** The version of this installation: `0.1.0`. */
export function ownVersion(): string {
  // The relative path is the same from src and from dist.
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export const versionText = (): string => `nightshift ${ownVersion()} (Node ${process.version})`;
