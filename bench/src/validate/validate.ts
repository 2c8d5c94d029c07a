import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeResults } from '../measure/results.ts';
import { spreadOf, type Spread } from '../measure/statistics.ts';
import { endpointOf, writeInputFile } from './input-file.ts';
import type { Pass } from './one-pass.ts';
import { parseValidateOptions, type ValidateOptions } from './options.ts';
import { runPass } from './run-pass.ts';

/** The whole way from the end of an upload to `in_progress` has 3 and 150 MB; this is its largest part. */
const BARS = { ratio: 2.2, memoryRiseBytes: 50_000_000 } as const;

/** `bench validate`; see METHOD.md. Resolves to the exit code. */
export async function runValidate(args: readonly string[]): Promise<number> {
  const options = parseValidateOptions(args);
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  try {
    return await measure(join(folder, 'input.jsonl'), options);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(path: string, options: ValidateOptions): Promise<number> {
  const { lines, content, rounds } = options;
  await writeInputFile(path, { lines, content, bytes: options.megabytes * 1_000_000 });
  const { size } = await stat(path);
  const passes: { bare: Pass[]; validate: Pass[] } = { bare: [], validate: [] };
  for (let round = 1; round <= rounds; round += 1) {
    for (const side of ['bare', 'validate'] as const) {
      const pass = await runPass(side, path, endpointOf[content], lines);
      passes[side].push(pass);
    }
  }
  const ratio = spreadOf(
    passes.validate.map(({ ms }, round) => ms / (passes.bare[round]?.ms ?? Number.NaN)),
  );
  const ms = (side: 'bare' | 'validate'): string => show(spreadOf(passes[side].map((p) => p.ms)));
  const rise = spreadOf(passes.validate.map((pass) => pass.memoryRiseBytes));
  const met = { ratio: ratio.median <= BARS.ratio, memory: rise.median <= BARS.memoryRiseBytes };
  const verdict = (isMet: boolean): string => (isMet ? 'met' : 'MISSED');
  console.log(`${lines} lines, ${(size / 1e6).toFixed(0)} MB of ${content}, ${rounds} rounds: median (least–most)

read and JSON.parse   ${ms('bare')} ms
validate              ${ms('validate')} ms
ratio                 ${show(ratio, 2)}   ≤ ${BARS.ratio}: ${verdict(met.ratio)}
memory rises by       ${show(rise, 0, 1e6)} MB   ≤ ${BARS.memoryRiseBytes / 1e6}: ${verdict(met.memory)}
`);
  if (options.json) {
    console.log(`written to ${await writeResults('validate', { options, size, passes, ratio })}`);
  }
  return options.check && !(met.ratio && met.memory) ? 1 : 0;
}

function show({ median, min, max }: Spread, digits = 0, unit = 1): string {
  const [middle, least, most] = [median, min, max].map((value) => (value / unit).toFixed(digits));
  return `${middle} (${least}–${most})`;
}
