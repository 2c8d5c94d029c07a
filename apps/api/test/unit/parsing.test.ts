import { describe, expect, it } from 'vitest';
import { isLoopbackAddress, isLoopbackHostHeader, isLoopbackOrigin } from '../../src/loopback.ts';
import { parseJsonBody } from '../../src/plugins/json-body.ts';
import { preferredWait } from '../../src/prefer.ts';
import { parseQuery } from '../../src/query-string.ts';

describe('Prefer', () => {
  it.each([
    ['wait=10', 10],
    ['Wait = 10', 10],
    ['wait="10"', 10],
    ['respond-async, wait=10;x=y, handling=lenient', 10],
    ['wait=3600', 60],
    ['wait=5, wait=9', 5],
    ['wait=0', null],
    ['wait', null],
    ['wait=', null],
    ['wait=-1', null],
    ['wait=1.5', null],
    ['waiting=5', null],
    ['', null],
    [',,;;=', null],
    [undefined, null],
  ])('%s → %s', (header, seconds) => {
    expect(preferredWait(header)).toBe(seconds);
  });
});

describe('loopback', () => {
  it('tells this machine from others', () => {
    expect(['127.0.0.1', '::1', '::ffff:127.0.0.1'].every(isLoopbackAddress)).toBe(true);
    expect([undefined, '10.0.0.1', '::', '128.0.0.1'].some(isLoopbackAddress)).toBe(false);
    expect(
      ['127.0.0.1:80', 'LOCALHOST', '[::1]:1', 'a.localhost'].every(isLoopbackHostHeader),
    ).toBe(true);
    expect(
      ['127.0.0.1.com', 'localhost.com', '127.1', '[::2]', ''].some(isLoopbackHostHeader),
    ).toBe(false);
    expect(['http://localhost:1', 'https://127.0.0.1'].every(isLoopbackOrigin)).toBe(true);
    expect(['null', 'localhost', 'file://', 'http://a@localhost/'].some(isLoopbackOrigin)).toBe(
      false,
    );
  });
});

describe('a query', () => {
  it('gathers metadata[k]=v and leaves the rest', () => {
    expect({ ...parseQuery('limit=5&metadata[a]=1&metadata%5Bb%20c%5D=2') }).toEqual({
      limit: '5',
      metadata: { a: '1', 'b c': '2' },
    });
    expect({ ...parseQuery('') }).toEqual({});
    expect({ ...parseQuery('metadata=x&a=1&a=2') }).toEqual({ metadata: 'x', a: ['1', '2'] });
  });
});

describe('a JSON body', () => {
  const textOf = (text: string, key: string) => {
    const { value, jsonText } = parseJsonBody(Buffer.from(text));
    const span = jsonText.spans.get(key);
    const raw = span && jsonText.text.slice(span.start, span.end);
    return { value: (value as Record<string, unknown>)[key], raw };
  };

  it.each([
    '{"body":{"a":1}}',
    '{"body":{"a":1},"body":{"a":2}}',
    '{"b\\u006fdy":1,"body":2,"x":"}"}',
    '{"x":{"body":1},"body":[{"body":"\\"}"}]}',
    ' { "body" : "a\\\\" , "y" : ":" } ',
    '{"x":":\\",\\"body\\":1","body":2}',
  ])('has the span of what JSON.parse takes: %s', (text) => {
    const { value, raw } = textOf(text, 'body');
    expect(JSON.parse(raw ?? '')).toEqual(value);
  });

  it('never repeats what it could not parse', () => {
    expect(() => parseJsonBody(Buffer.from('{"secret": "sk-12345'))).toThrow(
      /^The request body is not valid JSON \(at position \d+\)\.$/,
    );
    expect(() => parseJsonBody(Buffer.from('secret'))).toThrow(
      /^The request body is not valid JSON\.$/,
    );
  });
});
