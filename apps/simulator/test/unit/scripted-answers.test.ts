import { describe, expect, it } from 'vitest';
import { promptOf, ScriptedAnswers } from '../../src/scripted-answers.ts';

describe('a scripted answer', () => {
  const script = new ScriptedAnswers([
    { when: '^My name is (?<name>\\w+)\\.\\nI (\\w+)', say: '$<name> has $2 $3$<other>.' },
    { model: 'gpt-4*', when: 'lamp.*cracked', say: 'A lamp for $1.' },
    { when: 'lamp', say: 'A lamp.' },
  ]);
  const asked = (content: string, model = 'm') =>
    script.answer(model, { messages: [{ role: 'user', content }] });

  it('is the first whose model and pattern match', () => {
    expect(asked('The lamp\nis cracked', 'gpt-4o')).toBe('A lamp for .');
    expect(asked('The lamp\nis cracked')).toBe('A lamp.');
    expect(asked('The shelf')).toBeNull();
    expect(new ScriptedAnswers([]).answer('m', { input: 'lamp' })).toBeNull();
  });

  it('is filled in with what the groups matched, and with nothing for the others', () => {
    expect(asked('My name is Mara.\nI moved')).toBe('Mara has moved .');
  });
});

describe('the prompt', () => {
  it.each([
    [{ messages: [{ content: 'a' }, { content: [{ type: 'text', text: 'b' }] }] }, 'a\nb'],
    [{ instructions: 'a', input: 'b' }, 'a\nb'],
    [{ input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }, 'a'],
    [{ prompt: ['a', 'b'] }, 'a\nb'],
    [{ input: JSON.parse(`${'['.repeat(100_000)}"a"${']'.repeat(100_000)}`) }, ''],
    [{ messages: [null, 7, { content: { text: 1 } }], input: 7 }, ''],
  ])('of case %$ is as expected', (body, text) => {
    expect(promptOf(body)).toBe(text);
  });
});
