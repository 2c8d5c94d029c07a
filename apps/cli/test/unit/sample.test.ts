import { describe, expect, it } from 'vitest';
import { startSimulator } from '@nightshift/simulator';
import { answerOf, parseResults, promptOf } from '../../src/demo/results.ts';
import { inputFile, sampleLines, smallSample } from '../../src/demo/sample/sample.ts';
import { simulatorScript } from '../../src/demo/sample/simulator-script.ts';

describe('the sample', () => {
  const lines = sampleLines();

  it('is the same at every start, no two lines are, and the provider knows each by its name', () => {
    expect(inputFile(sampleLines())).toBe(inputFile(lines));
    expect(new Set(lines.map(({ customId }) => customId)).size).toBe(480);
    expect(new Set(lines.map(({ body }) => JSON.stringify({ ...body, user: '' }))).size).toBe(480);
    for (const { customId, body } of lines) expect(body['user']).toBe(customId);
    expect(lines.filter(({ expect: { kind } }) => kind === 'refused')).toHaveLength(6);
  });

  it('has its kinds mixed, as a day has', () => {
    const firstFifty = lines.slice(0, 50).map(({ customId }) => customId.replace(/-.*/, ''));
    expect(new Set(firstFifty)).toContain('triage');
    expect(new Set(firstFifty)).toContain('reply');
    expect(new Set(firstFifty)).toContain('review');
  });

  it('leaves no placeholder open', () => {
    for (const { body } of lines) expect(promptOf(body)).not.toMatch(/ORDER|ITEM|undefined/);
  });

  it('for a provider that costs money is small, on one cheap model, and nothing in it must fail', () => {
    const small = smallSample();
    expect(small).toHaveLength(6);
    expect(new Set(small.map(({ body }) => body.model))).toEqual(new Set(['gpt-4o-mini']));
    for (const { body, expect: wanted } of small) {
      expect(wanted.kind).toBe('answered');
      expect(Number(body['max_completion_tokens'])).toBeLessThanOrEqual(120);
      expect(body).not.toHaveProperty('user');
    }
  });
});

describe('the simulated provider', () => {
  it('has a fitting answer to each line, in JSON where that is asked for', async () => {
    const { rules: _, limits: __, ...script } = simulatorScript;
    const simulator = await startSimulator({ settings: { ...script, latency: 0 } });
    try {
      for (const { customId, body, expect: wanted } of sampleLines().slice(0, 120)) {
        if (wanted.kind === 'refused') continue;
        const response = await fetch(`${simulator.url}/chat/completions`, {
          method: 'POST',
          body: JSON.stringify(body),
        });
        const answer = answerOf((await response.json()) as object);
        const order = /#\d+/.exec(promptOf(body))?.[0];
        if (customId.startsWith('triage')) expect(JSON.parse(answer)).toMatchObject({ order });
        else if (customId.startsWith('reply'))
          expect(answer).toMatch(new RegExp(`^Dear .*${order}`));
        else expect(answer).toMatch(/^The [a-z ]+ is /);
        expect(answer).not.toMatch(/ORDER|NAME|\$</);
      }
    } finally {
      await simulator.stop();
    }
  });
});

describe('a results file', () => {
  it('is read line by line', () => {
    expect(parseResults('output.jsonl', '')).toEqual([]);
    expect(parseResults('output.jsonl', '{"custom_id":"a"}\n{"custom_id":"b"}\n')).toHaveLength(2);
  });

  it('that is broken names its line', () => {
    expect(() => parseResults('errors.jsonl', '{}\n{"cus')).toThrow(/^errors\.jsonl, line 2: /);
  });
});
