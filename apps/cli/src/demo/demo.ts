import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readDemoSettings, type Environment } from '../config.ts';
import { readSwitches, usageText } from '../flags.ts';
import { Interrupted, onStopRequest, surviveClosedOutput } from '../stack/signals.ts';
import { outlook } from './opening.ts';
import { CONCURRENCY, play } from './play.ts';
import { createScreen } from './screen.ts';
import { startStage } from './stage.ts';

const SWITCHES = { once: 'end after the results; without it the stack stays up until Ctrl-C' };
const ABOUT = `A night in miniature on a stack of its own: a file of requests through the Batch API,
with a worker killed on the way. The provider is simulated unless OPENAI_API_KEY is set.`;

/** Resolves with the exit code: 0, 1 when something went wrong, 130 after Ctrl-C. */
export async function runDemo(environment: Environment, args: readonly string[]): Promise<number> {
  const switches = readSwitches(args, SWITCHES);
  if (switches.has('help')) {
    console.log(usageText('demo', ABOUT, SWITCHES));
    return 0;
  }
  const settings = readDemoSettings(environment);
  surviveClosedOutput();
  const screen = createScreen();
  const runId = `demo-${randomBytes(3).toString('hex')}`;
  const ending = new AbortController();
  const { signal } = ending;
  const handle = startStage({
    settings,
    environment,
    runId,
    concurrency: CONCURRENCY,
    say: screen.say,
    onUnexpectedEnd: (message) => ending.abort(new Error(message)),
    signal,
  });
  const signals = onStopRequest((reason) => {
    screen.endShow();
    screen.say('\nStopping. Once more to force.');
    ending.abort(reason);
  }, handle.forceStop);
  let code: number;
  let isWorthKeeping = true;
  try {
    const stage = await handle.ready;
    code = await play({ stage, settings, runId, screen, signal });
    if (code === 0 && !switches.has('once')) {
      screen.say(outlook(stage.apiUrl));
      await untilAborted(signal).catch((reason: unknown) => {
        if (!(reason instanceof Interrupted)) throw reason;
        code = reason.exitCode;
      });
    }
  } catch (error) {
    // A call that failed because the stack is ending is not what ended it.
    const reason = signal.aborted ? (signal.reason as unknown) : error;
    screen.endShow();
    code = reason instanceof Interrupted ? reason.exitCode : 1;
    // What was cut short by its user has no results, and no fault to look for in its logs.
    isWorthKeeping = !(reason instanceof Interrupted);
    if (isWorthKeeping) {
      console.error(`nightshift demo: ${(reason as Error).message}`);
      const { folder } = await handle.ready.catch(() => ({ folder: null }));
      if (folder !== null) console.error(`  the logs are in ${join(folder, 'logs')}`);
    }
  }
  try {
    await handle.stop();
    if (!isWorthKeeping) await handle.discard();
  } catch (error) {
    console.error(`nightshift demo: ${(error as Error).message}`);
    code ||= 1;
  }
  signals.dispose();
  return code;
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });
}
