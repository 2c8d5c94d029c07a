import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSettings } from '../../src/control.ts';
import { parseConfig } from '../../src/config.ts';
import { runUntilStopped } from '../../src/main.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulator-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function script(content: string): string {
  const path = join(folder, `script-${Math.random()}.json`);
  writeFileSync(path, content);
  return path;
}

describe('the configuration', () => {
  it('has defaults', () => {
    expect(parseConfig({}, [])).toEqual({
      host: '127.0.0.1',
      port: 4000,
      seed: 1,
      ledgerSize: 200_000,
      apiKeys: [],
      settings: {},
    });
  });

  it('takes flags over variables over the script', () => {
    const path = script('{"latency":"uniform:1-2","limits":{"*":{"slots":3},"m":{"slots":1}}}');
    const config = parseConfig(
      { SIMULATOR_SCRIPT: path, PORT: '1', SIMULATOR_TOKENS_PER_MINUTE: '5', SIMULATOR_SEED: '' },
      ['--port', '2', '--latency=7'],
    );
    expect(config).toMatchObject({
      port: 2,
      seed: 1,
      settings: {
        latency: { kind: 'fixed', ms: 7 },
        limits: { '*': { slots: 3, tokens_per_minute: 5 }, m: { slots: 1 } },
      },
    });
  });

  it.each([
    [{ PORT: 'x' }, [], 'PORT: must be a number, got "x"'],
    [{ PORT: '70000' }, [], 'PORT: must be a whole number from 0 to 65535, got "70000"'],
    [{}, ['--slots', '0'], '--slots: must be a whole number from 1 to 1000000, got "0"'],
    [{ SIMULATOR_HEADERS: 'x' }, [], 'SIMULATOR_HEADERS: must be openai, azure, retry_after or'],
    [{ SIMULATOR_LATENCY: 'x' }, [], 'SIMULATOR_LATENCY: must be a number of milliseconds,'],
    [{ SIMULATOR_SCRIPT: '/nowhere.json' }, [], 'SIMULATOR_SCRIPT: cannot read /nowhere.json'],
    [{}, ['--nonsense'], "Unknown option '--nonsense'"],
  ])('refuses %j %j in one line that names it', async (env, argv, message) => {
    const lines: string[] = [];
    const seams = {
      out: () => undefined,
      err: (line: string) => void lines.push(line),
      stopped: Promise.resolve(),
    };
    expect(await runUntilStopped(env, argv, seams)).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message);
    expect(lines[0]).not.toContain('\n');
  });

  it('names the field of a script that is wrong', () => {
    const path = script('[{"match":{"nth":0},"fault":"500"}]');
    expect(() => parseConfig({}, ['--script', path])).toThrow(
      /^--script: .*script-.*\.json: rules\.0\.match\.nth: /,
    );
  });

  it.each([
    [{ limits: { m: { slots: 0 } } }, 'limits.m.slots: '],
    [{ rules: [{ fault: '50x' }] }, 'rules.0.fault: "50x" is no fault'],
    [{ rules: [{ fault: { kind: 'drip', every_ms: -1 } }] }, 'rules.0.fault.every_ms: '],
    [{ latency: 'soon' }, 'latency: must be a number of milliseconds'],
    [{ headers: 'x' }, 'headers: '],
    [{ lateny: 1 }, 'lateny'],
    [{ outage: { for_ms: 'x' } }, 'outage.for_ms: '],
    [7, 'body: '],
  ])('settings %j are refused by name', (settings, message) => {
    expect(() => parseSettings(settings)).toThrow(message);
  });
});
