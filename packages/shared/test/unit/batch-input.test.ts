import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateInput, type InputLine, type InputRules } from '../../src/batch/index.ts';

const rules: InputRules = {
  endpoint: '/v1/chat/completions',
  limits: { requests: 1000, lineBytes: 10_000 },
};

async function collect(results: AsyncIterable<InputLine>): Promise<InputLine[]> {
  const all: InputLine[] = [];
  for await (const result of results) all.push(result);
  return all;
}

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function validate(
  file: string | Uint8Array,
  more: Partial<InputRules> = {},
): Promise<InputLine[]> {
  const bytes = typeof file === 'string' ? Buffer.from(file) : file;
  return await collect(validateInput(chunks(bytes), { ...rules, ...more }));
}

const requestLine = (customId: unknown, more: object = {}, body: object = {}): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'model-a', messages: [], ...body },
    ...more,
  });

describe('a good file', () => {
  test('every line comes with its place, its fields and its body byte for byte', async () => {
    const body = '{ "model":"m",  "seed":12345678901234567890.10, "messages":[{"a":1,"a":2}] }';
    const line = `{"url":"/v1/chat/completions", "body" : ${body} ,"method":"POST","custom_id":"x é"}`;
    const file = Buffer.from(`${requestLine('first')}\n${line}\n`);
    const [first, second, ...rest] = await validate(file);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ kind: 'request', line: 1, byteOffset: 0, customId: 'first' });
    expect(second).toEqual({
      kind: 'request',
      line: 2,
      byteOffset: requestLine('first').length + 1,
      byteLength: Buffer.byteLength(line),
      customId: 'x é',
      method: 'POST',
      url: '/v1/chat/completions',
      model: 'm',
      bodyText: body,
      body: JSON.parse(body) as object,
    });
  });

  test('a byte-order mark, CRLF, blank lines and no last line feed are fine', async () => {
    const lines = [requestLine('a'), '', ' \t', requestLine('b'), '', requestLine('c')];
    const file = Buffer.from(`\uFEFF${lines.join('\r\n')}`);
    const results = await validate(file);
    expect(results.map(({ kind, line }) => [kind, line])).toEqual([
      ['request', 1],
      ['request', 4],
      ['request', 6],
    ]);
    for (const result of results) {
      if (result.kind === 'error') continue;
      const { byteOffset, byteLength, customId } = result;
      const slice = file.subarray(byteOffset, byteOffset + byteLength).toString();
      expect(JSON.parse(slice)).toMatchObject({ custom_id: customId });
    }
  });

  test('U+2028, U+2029, U+0085 and a bare carriage return end no line', async () => {
    const text = 'one\u2028two\u2029three\u0085four';
    const line = requestLine('a', {}, { messages: [text] }).replace(',', ',\r ');
    expect(await validate(line)).toMatchObject([
      { kind: 'request', line: 1, bodyText: expect.stringContaining(text) },
    ]);
  });

  test('escaped lone surrogates pass as they were written, also in a custom id', async () => {
    const body = String.raw`{"model":"m","messages":["\ud800"]}`;
    const file = ['\\ud800', '\\ud801', '\\udfff', '\\ufffd']
      .map(
        (id) => `{"custom_id":"${id}","method":"POST","url":"/v1/chat/completions","body":${body}}`,
      )
      .join('\n');
    const results = await validate(file);
    expect(results).toMatchObject([0, 1, 2, 3].map(() => ({ kind: 'request', bodyText: body })));
    expect(results[0]).toMatchObject({ customId: '\ud800' });
  });

  test('models may be mixed', async () => {
    const file = ['a', 'b'].map((name) => requestLine(name, {}, { model: name })).join('\n');
    expect(await validate(file)).toMatchObject([{ model: 'a' }, { model: 'b' }]);
  });

  test('of a key that comes twice the last counts, also when it is written with escapes', async () => {
    const line = String.raw`{"custom_id":"x","custom_id":"y","method":"POST","url":"/v1/chat/completions","body":1,"b\u006fdy":{"model":"m","messages":[]}}`;
    expect(await validate(line)).toMatchObject([
      { kind: 'request', customId: 'y', bodyText: '{"model":"m","messages":[]}' },
    ]);
  });

  test('fields beside the four are let be, and stream: false is no stream', async () => {
    expect(
      await validate(requestLine('a', { note: 'mine' }, { stream: false, tools: null })),
    ).toMatchObject([{ kind: 'request' }]);
  });

  test.each([
    ['/v1/completions', { model: 'm', prompt: '' }],
    ['/v1/responses', { model: 'm' }],
    ['/v1/embeddings', { model: 'm', input: [] }],
    ['/v1/moderations', { model: 'm', input: 'x' }],
  ] as const)('%s', async (endpoint, body) => {
    const line = requestLine('a', { url: endpoint, body });
    expect(await validate(line, { endpoint })).toMatchObject([{ kind: 'request', url: endpoint }]);
  });
});

describe('what is wrong with a line', () => {
  const deep = (levels: number): string =>
    requestLine('a').replace('[]', `${'['.repeat(levels)}${']'.repeat(levels)}`);
  const invalidUtf8 = Buffer.from(requestLine('a#'));
  invalidUtf8[invalidUtf8.indexOf('#')] = 0xff;
  const rawSurrogate = Buffer.concat([
    Buffer.from('{"custom_id":"'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from('"}'),
  ]);

  test.each<[what: string, line: string | Buffer, code: string, param: string | null]>([
    ['no JSON', '{"custom_id": ', 'invalid_json_line', null],
    ['two objects', `${requestLine('a')} ${requestLine('b')}`, 'invalid_json_line', null],
    ['an array', '[1]', 'invalid_json_line', null],
    ['a null', 'null', 'invalid_json_line', null],
    ['a NUL byte', '\0', 'invalid_json_line', null],
    ['white space that JSON does not know', '\u00a0', 'invalid_json_line', null],
    ['invalid UTF-8', invalidUtf8, 'invalid_json_line', null],
    ['a raw lone surrogate', rawSurrogate, 'invalid_json_line', null],
    ['UTF-16', Buffer.from(`\uFEFF${requestLine('a')}`, 'utf16le'), 'invalid_json_line', null],
    ['129 levels', deep(127), 'invalid_json_line', null],
    [
      '__proto__',
      requestLine('a').replace('"messages"', '"__proto__"'),
      'invalid_json_line',
      'body.__proto__',
    ],
    [
      'constructor.prototype',
      requestLine('a', {}, { constructor: { prototype: 1 } }),
      'invalid_json_line',
      'body.constructor.prototype',
    ],
    ['no custom_id', requestLine(undefined), 'missing_required_parameter', 'custom_id'],
    ['custom_id null', requestLine(null), 'missing_required_parameter', 'custom_id'],
    ['custom_id empty', requestLine(''), 'missing_required_parameter', 'custom_id'],
    ['custom_id a number', requestLine(5), 'missing_required_parameter', 'custom_id'],
    ['no method', requestLine('a', { method: undefined }), 'missing_required_parameter', 'method'],
    ['GET', requestLine('a', { method: 'GET' }), 'invalid_method', 'method'],
    ['post', requestLine('a', { method: 'post' }), 'invalid_method', 'method'],
    ['method a number', requestLine('a', { method: 1 }), 'invalid_method', 'method'],
    ['no url', requestLine('a', { url: undefined }), 'missing_required_parameter', 'url'],
    ['another url', requestLine('a', { url: '/v1/embeddings' }), 'invalid_url', 'url'],
    ['url an object', requestLine('a', { url: {} }), 'invalid_url', 'url'],
    ['no body', requestLine('a', { body: undefined }), 'missing_required_parameter', 'body'],
    ['body null', requestLine('a', { body: null }), 'missing_required_parameter', 'body'],
    ['body a string', requestLine('a', { body: '{}' }), 'missing_required_parameter', 'body'],
    ['body an array', requestLine('a', { body: [] }), 'missing_required_parameter', 'body'],
    [
      'no model',
      requestLine('a', {}, { model: undefined }),
      'missing_required_parameter',
      'body.model',
    ],
    [
      'model a number',
      requestLine('a', {}, { model: 4 }),
      'missing_required_parameter',
      'body.model',
    ],
    [
      'model empty',
      requestLine('a', {}, { model: '' }),
      'missing_required_parameter',
      'body.model',
    ],
    [
      'no messages',
      requestLine('a', {}, { messages: undefined }),
      'missing_required_parameter',
      'body.messages',
    ],
    ['stream', requestLine('a', {}, { stream: true }), 'streaming_unsupported', 'body.stream'],
    [
      'a model of 257 characters',
      requestLine('a', {}, { model: 'm'.repeat(257) }),
      'model_not_found',
      'body.model',
    ],
    ['too long', requestLine('a'.repeat(10_000)), 'line_too_long', null],
  ])('%s', async (_what, line, code, param) => {
    const before = Buffer.from(`${requestLine('before')}\n`);
    const after = Buffer.from(`\n${requestLine('after')}`);
    const results = await validate(Buffer.concat([before, Buffer.from(line), after]));
    // UTF-16 has line feeds of its own, and zeros between.
    expect(results[0]).toMatchObject({ kind: 'request', customId: 'before' });
    expect(results[1]).toEqual({
      kind: 'error',
      code,
      param,
      line: 2,
      message: expect.stringMatching(/^[A-Z].{10,300}\.$/s),
    });
    expect(results.at(-1)).toMatchObject({ kind: 'request', customId: 'after', line: 3 });
  });

  test('messages name the field and what was given', async () => {
    const messages = async (line: string): Promise<string[]> =>
      (await validate(line)).map((result) => (result.kind === 'error' ? result.message : ''));
    expect(await messages(requestLine(undefined))).toEqual([
      "Missing required parameter: 'custom_id'.",
    ]);
    expect(await messages(requestLine(5))).toEqual([
      "Missing required parameter: 'custom_id'. It must be a string that is not empty, got 5.",
    ]);
    expect(await messages('{"a" 1}')).toEqual([
      'This line is not parseable as valid JSON (at position 5).',
    ]);
  });

  test('up to 128 levels pass; 100,000 are refused', async () => {
    const limits = { requests: 10, lineBytes: 1_000_000 };
    expect(await validate(deep(126), { limits })).toMatchObject([{ kind: 'request' }]);
    expect(await validate(deep(100_000), { limits })).toMatchObject([
      { code: 'invalid_json_line', line: 1 },
    ]);
  });

  test('a model that no provider serves', async () => {
    const servesModel = (model: string): boolean => model === 'model-a';
    const file = `${requestLine('a')}\n${requestLine('b', {}, { model: 'model-b' })}`;
    expect(await validate(file, { servesModel })).toMatchObject([
      { kind: 'request' },
      { code: 'model_not_found', param: 'body.model', line: 2 },
    ]);
  });

  test('a duplicate names the line that had the id first, also when that one is wrong otherwise', async () => {
    const file = [
      requestLine('a', { url: '/other' }),
      requestLine('b'),
      requestLine('a'),
      requestLine('b'),
      requestLine('b'),
    ].join('\n');
    const naming = (line: number): unknown => expect.stringContaining(`line ${line} `);
    expect(await validate(file)).toMatchObject([
      { code: 'invalid_url' },
      { kind: 'request' },
      { code: 'duplicate_custom_id', param: 'custom_id', line: 3, message: naming(1) },
      { code: 'duplicate_custom_id', param: 'custom_id', line: 4, message: naming(2) },
      { code: 'duplicate_custom_id', param: 'custom_id', line: 5, message: naming(2) },
    ]);
  });
});

describe('the file as a whole', () => {
  test.each([
    ['nothing', ''],
    ['a byte-order mark', '\uFEFF'],
    ['blank lines', '\n\r\n  \n'],
  ])('empty: %s', async (_what, file) => {
    expect(await validate(file)).toEqual([
      {
        kind: 'error',
        code: 'empty_file',
        message: 'The input file has no requests.',
        param: null,
        line: null,
      },
    ]);
  });

  test('as many requests as allowed pass, blank lines not counted; one more does not', async () => {
    const limits = { requests: 3, lineBytes: 10_000 };
    const three = ['a', 'b', 'c'].map((id) => requestLine(id)).join('\n\n');
    expect((await validate(three, { limits })).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 3 }, () => 'request'),
    );
    const five = `${three}\nnot looked at\n${requestLine('a')}\n`;
    expect((await validate(five, { limits })).slice(3)).toEqual([
      {
        kind: 'error',
        code: 'too_many_requests_in_file',
        message: 'The input file has 5 requests; at most 3 are allowed.',
        param: null,
        line: null,
      },
    ]);
  });

  test('the limit of a line is met to the byte', async () => {
    const lineBytes = requestLine('abc').length;
    const limits = { requests: 10, lineBytes };
    const file = `${requestLine('abc')}\n${requestLine('abcd')}\n${requestLine('xyz')}`;
    expect(await validate(file, { limits })).toMatchObject([
      { kind: 'request' },
      {
        code: 'line_too_long',
        line: 2,
        message: `This line is ${lineBytes + 1} bytes long; at most ${lineBytes} are allowed.`,
      },
      { kind: 'request', line: 3 },
    ]);
  });

  test('a line of 200 MB is not held', { timeout: 60_000 }, async () => {
    const chunk = Buffer.alloc(1_000_000, 'x');
    async function* long(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < 200; sent += 1) yield chunk;
      yield Buffer.from(`\n${requestLine('a')}`);
    }
    const before = process.memoryUsage().arrayBuffers;
    const results = await collect(validateInput(long(), rules));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    expect(results).toMatchObject([
      { code: 'line_too_long', line: 1 },
      { kind: 'request', line: 2, byteOffset: 200_000_001 },
    ]);
  });

  test(
    '100,000 custom ids: none is taken for another, each repeated one is found',
    { timeout: 60_000 },
    async () => {
      const line = (id: string): string =>
        `{"custom_id":"${id}","method":"POST","url":"/v1/responses","body":{"model":"m"}}\n`;
      async function* file(): AsyncGenerator<Uint8Array> {
        for (let from = 0; from < 100_000; from += 10_000) {
          let text = '';
          for (let i = from; i < from + 10_000; i += 1) text += line(`request-${i}`);
          yield Buffer.from(text);
        }
        yield Buffer.from(line('request-0') + line('request-99999'));
      }
      const limits = { requests: 1_000_000, lineBytes: 10_000 };
      const errors: InputLine[] = [];
      const all = { endpoint: '/v1/responses', limits } as const;
      for await (const result of validateInput(file(), all)) {
        if (result.kind === 'error') errors.push(result);
      }
      expect(errors).toMatchObject([
        { line: 100_001, message: expect.stringContaining('line 1 ') },
        { line: 100_002, message: expect.stringContaining('line 100000 ') },
      ]);
    },
  );
});

test('a source that fails is the failure, and one that is left is closed', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`${requestLine('a')}\n`);
    throw new Error('the disk is gone');
  };
  await expect(collect(validateInput(failing(), rules))).rejects.toThrow('the disk is gone');

  let closed = false;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from(`${requestLine('a')}\n`);
    } finally {
      closed = true;
    }
  };
  for await (const { kind } of validateInput(endless(), rules)) {
    expect(kind).toBe('request');
    break;
  }
  expect(closed).toBe(true);
});

const anyLine = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }).map((id) => requestLine(id)),
  fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => requestLine(text, {}, { text })),
  fc.constantFrom('', ' ', '\r', '{', requestLine(1), requestLine('x'.repeat(90)), '\u2028', '€𝄞'),
);
const anyFile = fc
  .record({
    mark: fc.constantFrom('', '\uFEFF'),
    lines: fc.array(fc.tuple(anyLine, fc.constantFrom('\n', '\r\n')), { maxLength: 12 }),
    noise: fc.option(fc.uint8Array({ maxLength: 8 })),
    last: anyLine,
  })
  .map(({ mark, lines, noise, last }) =>
    Buffer.concat([
      Buffer.from(mark + lines.map((pair) => pair.join('')).join('')),
      noise ?? Buffer.alloc(0),
      Buffer.from(last),
    ]),
  );

test(
  'wherever the chunks are cut, within a character too, the results are the same',
  { timeout: 60_000 },
  async () => {
    const limits = { requests: 8, lineBytes: 150 };
    await fc.assert(
      fc.asyncProperty(anyFile, fc.array(fc.nat(400), { maxLength: 30 }), async (file, cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), file.length];
        const parts = at.slice(1).map((end, index) => file.subarray(at[index], end));
        const single = Array.from(file, (byte) => Uint8Array.of(byte));
        const whole = await validate(file, { limits });
        const all = { ...rules, limits };
        expect(await collect(validateInput(chunks(...parts), all))).toEqual(whole);
        expect(await collect(validateInput(chunks(...single), all))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  },
);

test(
  'every line that is not blank has one result, in order, and a request is where it says',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, async (file) => {
        const lines = file
          .toString('latin1')
          .replace(/^\xef\xbb\xbf/, '')
          .split('\n')
          .map((text, index) => ({ text, line: index + 1 }))
          .filter(({ text }) => /[^ \t\r]/.test(text));
        const results = await validate(file);
        if (lines.length === 0) {
          expect(results).toMatchObject([{ code: 'empty_file' }]);
          return;
        }
        expect(results.map(({ line }) => line)).toEqual(lines.map(({ line }) => line));
        for (const result of results) {
          if (result.kind === 'error') continue;
          const { byteOffset, byteLength, customId, bodyText } = result;
          const text = file.subarray(byteOffset, byteOffset + byteLength).toString();
          expect(JSON.parse(text)).toMatchObject({
            custom_id: customId,
            body: JSON.parse(bodyText) as object,
          });
        }
      }),
      { numRuns: 300 },
    );
  },
);
