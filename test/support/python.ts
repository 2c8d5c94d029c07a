import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../python', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** Path of a Python that has what `requirements.txt` names; made once for each state of that file. */
export async function pythonWithSdk(): Promise<string> {
  const requirements = `${folder}/requirements.txt`;
  const state = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const home = `${cache}/python-${state.slice(0, 12)}`;
  const python = `${home}/bin/python`;
  const mark = `${home}/complete`;
  if (existsSync(mark)) return python;
  await rm(home, { recursive: true, force: true });
  try {
    await run('python3', ['-m', 'venv', home]);
  } catch (error) {
    throw new Error(
      'the python suite needs python3 ≥ 3.10 with venv (Debian: apt-get install python3-venv)',
      { cause: error },
    );
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  await run(python, [...pip, '--require-hashes', '--only-binary=:all:', '-r', requirements], {
    maxBuffer: 64_000_000,
  });
  await run('touch', [`${mark}.tmp`]);
  await rename(`${mark}.tmp`, mark);
  return python;
}

/** Runs a case of a script; rejects with what it printed. */
export async function runPython(
  python: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const [script = '', ...rest] = args;
  try {
    const { stdout } = await run(python, [`${folder}/${script}`, ...rest], {
      env: { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1', ...env },
      timeout: 300_000,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${script} ${rest.join(' ')} failed\n${stdout}${stderr}`, { cause: error });
  }
}
