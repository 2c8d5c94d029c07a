// `npm test`, `npm run demo` and the others: installs what is missing, then runs the program on the
// repository's own runtime. Plain JavaScript for any Node from 18 on, like bootstrap.mjs.
import { spawn } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { bootstrap, root, runtime } from './bootstrap.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);
const vitest = (...projects) => [
  [bin('vitest'), 'run', ...projects.flatMap((name) => ['--project', name])],
];

/** The programs of each name. With several, all run, and one failure is enough to fail. */
const programs = {
  test: vitest('unit', 'integration', 'chaos'),
  chaos: vitest('chaos'),
  outages: vitest('outages'),
  batches: vitest('batches'),
  rounds: vitest('rounds'),
  nights: vitest('nights'),
  python: vitest('python'),
  s3: vitest('s3'),
  containers: vitest('containers'),
  check: [[bin('oxfmt'), '--check'], [bin('oxlint')], [bin('tsc'), '-b'], [bin('knip')]],
  demo: [[join(root, 'bin/nightshift'), 'demo']],
  start: [[join(root, 'bin/nightshift'), 'start']],
  bench: [[runtime, '--conditions=source', join(root, 'bench/src/main.ts')]],
};

/** Ctrl-C in a terminal reaches every process of the group by itself; sent once more it would count twice. */
const inTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
/** npm passes a signal on that the group had too: within this time it is the same one. */
const SAME_SIGNAL_MS = 500;

/** Resolves with how it ended. Signals to this process are passed on, and its end is waited for. */
function run([command, ...args]) {
  return new Promise((resolve, reject) => {
    const path = [dirname(runtime), join(root, 'node_modules/.bin'), process.env.PATH];
    const child = spawn(command, args, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, PATH: path.join(':') },
    });
    let last = { signal: '', at: 0 };
    const passOn = (signal) => {
      if (signal === 'SIGINT' && inTerminal) return;
      const repeated = signal === last.signal && performance.now() - last.at < SAME_SIGNAL_MS;
      last = { signal, at: performance.now() };
      if (!repeated) child.kill(signal);
    };
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    const settle = () => process.off('SIGINT', passOn).off('SIGTERM', passOn);
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      settle();
      resolve({ code, signal });
    });
  });
}

const [name, ...args] = process.argv.slice(2);
const todo = Object.hasOwn(programs, name ?? '') ? programs[name] : undefined;
if (!todo) {
  process.stderr.write(`usage: node scripts/run.mjs ${Object.keys(programs).join('|')} [args]\n`);
  process.exit(2);
}
try {
  await bootstrap();
} catch (error) {
  process.stderr.write(`nightshift: ${error.message}\n`);
  process.exit(1);
}

const failed = [];
for (const program of todo) {
  const title = [basename(program[0]), ...program.slice(1)].join(' ');
  if (todo.length > 1) process.stdout.write(`\n== ${title}\n`);
  const { code, signal } = await run([...program, ...args]);
  // The caller must see the signal too: a shell ends its script on it, not on a plain code.
  if (signal) process.kill(process.pid, signal);
  if (code !== 0) failed.push({ title, code });
}
if (todo.length > 1) {
  const names = failed.map(({ title }) => title).join(', ');
  process.stdout.write(`\n${name}: ${names === '' ? 'all passed' : `failed: ${names}`}\n`);
}
process.exitCode = failed[0]?.code ?? 0;
