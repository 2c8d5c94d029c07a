import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../results/', import.meta.url));

/** Writes results with what is needed to read them later, and resolves to the file's path. */
export async function writeResults(name: string, results: object): Promise<string> {
  const at = new Date().toISOString();
  const machine = {
    platform: `${platform()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    loadAverage: loadavg(),
    node: process.version,
  };
  await mkdir(folder, { recursive: true });
  const path = `${folder}${name}-${at.replaceAll(/[:.]/g, '-')}.json`;
  await writeFile(path, `${JSON.stringify({ name, at, machine, ...results }, null, 2)}\n`);
  return path;
}
