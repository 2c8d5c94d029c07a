import { describe, expect, it } from 'vitest';
import { parseApiKeys, readSettings, sha256 } from '../../src/config.ts';
import { createAuthenticator } from '../../src/plugins/auth.ts';

describe('NIGHTSHIFT_API_KEYS', () => {
  it('takes several tenants, and several keys of one', () => {
    const keys = parseApiKeys(' red:key-number-1, red:key-number-2 ,blue_1:key:with:colons,');
    expect(keys.map(({ tenant }) => tenant)).toEqual(['red', 'red', 'blue_1']);
    expect(keys[2]?.digest).toEqual(sha256('key:with:colons'));
    expect(parseApiKeys('')).toEqual([]);
  });

  it.each([
    ['just-a-key', /entry 1 must be TENANT:KEY/],
    ['red:long-enough,:long-enough', /entry 2 must begin with a tenant/],
    ['a b:long-enough', /entry 1 must begin with a tenant/],
    [`${'x'.repeat(65)}:long-enough`, /entry 1 must begin with a tenant/],
    ['red:short-7', /entry 1 must have a key of 8 to 512/],
    ['red:with space in it', /entry 1 must have a key/],
    ['red:long-enough,blue:long-enough', /entry 2 must have a key that no other tenant has/],
  ])('refuses %s without repeating it', (text, message) => {
    expect(() => parseApiKeys(text)).toThrow(message);
    expect(() => parseApiKeys(text)).toThrow(/got \(hidden\)$/);
  });

  it('finds the tenant of a bearer', () => {
    const authenticate = createAuthenticator(parseApiKeys('red:key-of-red,blue:key-of-blue'));
    expect(authenticate('Bearer key-of-blue')).toBe('blue');
    expect(authenticate('Bearer key-of-green')).toBeUndefined();
    expect(authenticate('Bearer key-of-red extra')).toBeUndefined();
    expect(authenticate(undefined)).toBeUndefined();
  });
});

describe('the environment', () => {
  it('has defaults for everything', () => {
    expect(readSettings({})).toMatchObject({ host: '127.0.0.1', port: 3000, keys: [] });
  });

  it('lets the API listen beyond this machine only with keys', () => {
    expect(() => readSettings({ HOST: '0.0.0.0' })).toThrow(/HOST.*NIGHTSHIFT_API_KEYS/);
    expect(readSettings({ HOST: '::', NIGHTSHIFT_API_KEYS: 'a:12345678' }).host).toBe('::');
    for (const host of ['localhost', '127.0.0.2', '::1']) {
      expect(readSettings({ HOST: host }).host).toBe(host);
    }
  });

  it('never repeats a key', () => {
    const environment = { NIGHTSHIFT_API_KEYS: 'secret-without-tenant' };
    expect(() => readSettings(environment)).not.toThrow(/secret/);
  });
});
