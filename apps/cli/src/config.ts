import { resolve } from 'node:path';
import {
  commonEnvironment,
  loadConfiguration,
  parseEnvironment,
  wholeNumber,
} from '@nightshift/shared/config';
import { withoutSecrets } from './stack/services.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Who answers the calls, and why. */
interface ProviderChoice {
  simulated: boolean;
  /** One line for people. */
  describe: string;
}

export interface StartSettings {
  host: string;
  port: number;
  /** Absolute. */
  dataDir: string;
  hasApiKeys: boolean;
  provider: ProviderChoice;
}

const port = wholeNumber(1, 65_535).default(3000);
const OPENAI = 'https://api.openai.com/v1';

/** @throws SettingError for the first wrong variable. */
export function readStartSettings(environment: Environment): StartSettings {
  const parsed = parseEnvironment(commonEnvironment.extend({ PORT: port }), environment);
  return {
    // Checked by the API itself, which knows what it may listen on with the keys that it has.
    host: environment['HOST'] || '127.0.0.1',
    port: parsed.PORT,
    dataDir: resolve(environment['NIGHTSHIFT_DATA_DIR'] || 'data'),
    hasApiKeys: (environment['NIGHTSHIFT_API_KEYS'] ?? '').trim() !== '',
    provider: chooseProvider(environment),
  };
}

function chooseProvider(environment: Environment): ProviderChoice {
  const baseUrl = environment['OPENAI_BASE_URL'] || null;
  const hasKey = (environment['OPENAI_API_KEY'] ?? '') !== '';
  if (!usesDefaultProvider(environment)) {
    return { simulated: false, describe: 'those of NIGHTSHIFT_CONFIG' };
  }
  if (baseUrl !== null || hasKey) {
    return { simulated: false, describe: describeReal(baseUrl, hasKey) };
  }
  return {
    simulated: true,
    describe: 'simulated, since neither OPENAI_API_KEY nor OPENAI_BASE_URL is set',
  };
}

/** A configuration file that names its providers never calls the one that the environment describes. */
function usesDefaultProvider(environment: Environment): boolean {
  const mark = 'http://default.invalid/v1';
  const { providers } = loadConfiguration({ ...environment, OPENAI_BASE_URL: mark });
  return [...providers.values()].some((provider) => provider.baseUrl === mark);
}

function describeReal(baseUrl: string | null, hasKey: boolean): string {
  const set = [hasKey && 'OPENAI_API_KEY', baseUrl !== null && 'OPENAI_BASE_URL'];
  const names = set.filter((name) => name !== false);
  return `${withoutSecrets(baseUrl ?? OPENAI)} (${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} set)`;
}

export interface DemoSettings {
  /** The port that is tried first. */
  port: number;
  provider: ProviderChoice;
}

/** @throws SettingError for the first wrong variable. */
export function readDemoSettings(environment: Environment): DemoSettings {
  const parsed = parseEnvironment(commonEnvironment.extend({ PORT: port }), environment);
  const hasKey = parsed.OPENAI_API_KEY !== undefined;
  return {
    port: parsed.PORT,
    provider: hasKey
      ? { simulated: false, describe: describeReal(parsed.OPENAI_BASE_URL ?? null, true) }
      : {
          simulated: true,
          describe:
            'simulated, since OPENAI_API_KEY is not set: nothing leaves this machine or costs anything',
        },
  };
}

/**
 * Settings of the user's own stack that would change what the demo does. Redis' address and how durable it must be
 * are left as they are.
 */
export function withoutOwnSettings(environment: Environment): Record<string, undefined> {
  const own = /^(NIGHTSHIFT_|WORKER_|SIMULATOR_)|^(HOST|PORT|LOG_LEVEL)$/;
  return Object.fromEntries(
    Object.keys(environment)
      .filter((name) => own.test(name))
      .map((name) => [name, undefined]),
  );
}
