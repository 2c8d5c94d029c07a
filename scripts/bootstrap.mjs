// Installs the workspace when something to install has changed, and does nothing otherwise. Plain
// JavaScript for any Node from 18 on: it runs before anything is installed, on what the machine has.
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** The Node that everything runs on, whatever the system has. */
export const runtime = join(root, 'node_modules/node/bin/node');

const stampFile = join(root, 'node_modules/.nightshift-installed');
/** Outside node_modules, which the installation may replace. */
const lockFile = join(root, '.nightshift-install.tmp');
/** The holder touches its lock every second: one that is older belongs to a process that died. */
const LOCK_STALE_MS = 20_000;

/** The running installation, or null. A signal to this process is passed on to it. */
let installing = null;

/** Resolves when the workspace is installed. Rejects with one line if that fails, output printed. */
export async function bootstrap() {
  if (installed()) return;
  const release = await lock();
  try {
    // Another process may have installed while this one waited.
    if (!installed()) await install();
  } finally {
    release();
  }
}

function installed() {
  if (!existsSync(runtime) || !existsSync(stampFile)) return false;
  return readFileSync(stampFile, 'utf8') === fingerprint();
}

/** Changes with every file that decides what is installed, and with the machine it is for. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'bench/package.json'];
  for (const parent of ['apps', 'packages']) {
    for (const name of readdirSync(join(root, parent)).sort()) {
      files.push(`${parent}/${name}/package.json`);
    }
  }
  for (const file of files.filter((file) => existsSync(join(root, file)))) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

async function install() {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // Without the checksum that may follow the version.
  const packageManager = manifest.packageManager.split('+')[0];
  const before = fingerprint();
  const startedAt = performance.now();
  const again = existsSync(runtime) ? '' : ' (the first time takes about a minute)';
  process.stderr.write(`nightshift: installing with ${packageManager}${again}\n`);
  const { code, output } = await run('npx', [
    ...['--yes', packageManager, 'install', '--frozen-lockfile', '--prefer-offline'],
    // It is the pinned version already; pnpm need not look for it, nor lock it, once more.
    ...['--pm-on-fail=ignore', '--reporter=append-only'],
  ]);
  if (code !== 0 || !existsSync(runtime)) {
    process.stderr.write(output);
    const why = code === 0 ? `${runtime} is missing after it` : `it ended with code ${code}`;
    throw new Error(`the installation failed, ${why}: see the output above`);
  }
  writeFileSync(stampFile, before);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stderr.write(`nightshift: installed in ${seconds} s\n`);
}

/** Runs a program and captures its output. A signal to this process ends it too, see `lock`. */
function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: env(),
    });
    installing = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    }
    child.once('error', (error) => {
      installing = null;
      const missing = error.code === 'ENOENT';
      reject(missing ? new Error(`${command} is not on the PATH: install npm`) : error);
    });
    child.once('close', (code, signal) => {
      installing = null;
      resolve({ code: code ?? signal, output });
    });
  });
}

/**
 * The environment without what `npm run` says about this very script, which a nested npm reports as
 * unknown settings. Settings of the user (registry, proxy, cache) stay. `CI` keeps pnpm from asking.
 */
function env() {
  const ours = /^npm_(package|lifecycle)_|^npm_(command|execpath|node_execpath)$/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return {
    ...Object.fromEntries(kept),
    CI: 'true',
    npm_config_loglevel: 'error',
    npm_config_update_notifier: 'false',
  };
}

async function lock() {
  const token = randomUUID();
  let isHeld = false;
  const end = (signal) => {
    installing?.kill(signal);
    if (isHeld) rmSync(lockFile, { force: true });
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  // Listen before taking the lock: without a listener, a signal ends this process at once and leaves the lock behind.
  process.once('SIGINT', end).once('SIGTERM', end);
  for (let told = false; ;) {
    try {
      writeFileSync(lockFile, token, { flag: 'wx' });
      isHeld = true;
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (lockAgeMs() > LOCK_STALE_MS) {
      rmSync(lockFile, { force: true });
      continue;
    }
    if (!told) process.stderr.write('nightshift: waiting for another installation to end\n');
    told = true;
    await sleep(200);
  }
  const touch = setInterval(() => {
    try {
      utimesSync(lockFile, new Date(), new Date());
    } catch {
      // Removed by hand: the installation itself is not hurt by that.
    }
  }, 1000);
  return () => {
    clearInterval(touch);
    rmSync(lockFile, { force: true });
    process.off('SIGINT', end).off('SIGTERM', end);
  };
}

function lockAgeMs() {
  try {
    return Date.now() - statSync(lockFile).mtimeMs;
  } catch {
    return 0;
  }
}

/** Whether that module is the program that was started, not imported by another. */
const isMain = (url) =>
  process.argv[1] !== undefined &&
  realpathSync(process.argv[1]) === realpathSync(fileURLToPath(url));

if (isMain(import.meta.url)) {
  try {
    await bootstrap();
  } catch (error) {
    process.stderr.write(`nightshift: ${error.message}\n`);
    process.exitCode = 1;
  }
}
