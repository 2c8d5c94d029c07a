import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chat } from '../../src/endpoints/chat.ts';
import { embeddings } from '../../src/endpoints/embeddings.ts';
import { bodyDigest, bodySha256 } from '../../src/digest.ts';
import { answerText, markerOf, parseAnswerText } from '../../src/marker.ts';
import { weigh } from '../../src/reply.ts';
import { defaultSettings } from '../../src/settings.ts';

describe('the digest', () => {
  it('is the SHA-256 of the bytes on the wire', () => {
    const body = { model: 'm', input: 'grüße' };
    const wire = JSON.stringify(body);
    expect(bodySha256('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(bodyDigest(body)).toBe(bodySha256(wire).slice(0, 12));
    expect(bodyDigest(Buffer.from(wire))).toBe(bodyDigest(wire));
  });
});

describe('the text of an answer', () => {
  it('carries call, body and any marker', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string({ unit: 'binary' }), (call, user) => {
        const digest = bodyDigest(user);
        const marker = markerOf({ user }, undefined);
        const text = `before ${answerText(call, digest, marker)} after`;
        expect(parseAnswerText(text)).toEqual({ call, digest, marker });
      }),
    );
  });

  it('survives a lone surrogate in a marker', () => {
    expect(() =>
      answerText(1, '0'.repeat(12), markerOf({ user: '\ud800' }, undefined)),
    ).not.toThrow();
  });

  it('takes the marker from metadata, then user, then the header', () => {
    const body = { metadata: { marker: 'a' }, user: 'b' };
    expect(markerOf(body, 'c')).toBe('a');
    expect(markerOf({ ...body, metadata: { other: 'x' } }, 'c')).toBe('b');
    expect(markerOf({ metadata: null, user: 7 }, 'c')).toBe('c');
    expect(markerOf({}, undefined)).toBeNull();
  });
});

describe('what a call weighs', () => {
  it('is charged its input and the larger of max_tokens and the estimate, per choice', () => {
    const weight = (body: object) =>
      weigh(chat, { ...body }, 401, { ...defaultSettings, estimate_tokens: 50, output_tokens: 24 });
    expect(weight({})).toMatchObject({ inputTokens: 101, outputTokens: 24, chargedTokens: 151 });
    expect(weight({ max_tokens: 200, n: 2 })).toMatchObject({
      outputTokens: 48,
      chargedTokens: 501,
      finishReason: 'stop',
    });
    expect(weight({ max_completion_tokens: 10 })).toMatchObject({
      outputTokens: 10,
      chargedTokens: 151,
      finishReason: 'length',
    });
  });

  it('counts bytes as it is told to', () => {
    const dense = { ...defaultSettings, bytes_per_token: 2.5 };
    expect(weigh(embeddings, {}, 41, dense)).toMatchObject({ inputTokens: 17 });
  });

  it('is its input alone where nothing is generated', () => {
    expect(weigh(embeddings, {}, 40, defaultSettings)).toMatchObject({
      inputTokens: 10,
      outputTokens: 0,
      chargedTokens: 10,
    });
  });
});
