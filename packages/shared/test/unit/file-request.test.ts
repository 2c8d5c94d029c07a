import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkFilename } from '../../src/http/file-request.ts';

const check =
  (name: string, purpose = 'batch') =>
  () =>
    checkFilename(name, purpose, 'file');

test('a batch file is a .jsonl, or has no extension at all', () => {
  for (const name of ['upload', 'a.jsonl', 'A.JSONL', 'a.b.jsonl', '.hidden', 'name.', 'ø']) {
    expect(check(name), name).not.toThrow();
  }
  for (const name of ['a.json', 'a.txt', 'upload.csv', 'a.jsonl.gz', 'a.jsonl ']) {
    expect(check(name), name).toThrow('Must be .jsonl');
    expect(check(name, 'assistants'), name).not.toThrow();
  }
});

test('whatever stands before it, another extension is refused', () => {
  const stem = fc.stringMatching(/^[a-z][a-z0-9 _.-]{0,40}$/);
  const other = fc.stringMatching(/^[a-z0-9]{1,8}$/).filter((extension) => extension !== 'jsonl');
  fc.assert(
    fc.property(stem, other, (name, extension) => {
      expect(check(`${name}.${extension}`)).toThrow('Must be .jsonl');
      expect(check(`${name}.jsonl`)).not.toThrow();
    }),
  );
});
