import {
  commonEnvironment,
  loadConfiguration,
  parseEnvironment,
  SettingError,
  type Configuration,
} from '@nightshift/shared/config';
import { ownVersion } from '../version.ts';
import { note, ok, wrong, type Check } from './check.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of Nightshift's processes in this command's environment, as far as they are valid. */
export interface DoctorSettings {
  common: ReturnType<typeof readCommon> | null;
  configuration: Configuration | null;
  /** Whether the environment names a provider. If not, the environment of the workers may still name one. */
  namesProvider: boolean;
  checks: Check[];
}

const OLDEST_NODE = 24;

const readCommon = (environment: Environment) => parseEnvironment(commonEnvironment, environment);

export function readDoctorSettings(environment: Environment): DoctorSettings {
  const common = attempt(() => readCommon(environment));
  const configuration = attempt(() => loadConfiguration(environment));
  const names = ['NIGHTSHIFT_CONFIG', 'OPENAI_API_KEY', 'OPENAI_BASE_URL'];
  const file = environment['NIGHTSHIFT_CONFIG'] || null;
  const faults = [common, configuration].filter((found) => found instanceof SettingError);
  return {
    common: common instanceof SettingError ? null : common,
    configuration: configuration instanceof SettingError ? null : configuration,
    namesProvider: names.some((name) => (environment[name] ?? '') !== ''),
    checks: [
      judgeNode(process.versions.node),
      ...faults.map(({ message }) => settingFault(message)),
      ...(faults.length === 0
        ? [ok('settings', `environment and ${file ?? 'configuration (defaults)'} are valid`)]
        : []),
    ],
  };
}

export const settingFault = (message: string): Check =>
  wrong(
    'settings',
    'settings',
    `A setting is wrong: ${message}`,
    'Correct it: no process starts with this value.',
  );

function judgeNode(version: string): Check {
  const text = `Nightshift ${ownVersion()} on Node ${version}`;
  return Number.parseInt(version, 10) >= OLDEST_NODE
    ? ok('versions', text)
    : note('versions', `${text}, which is older than ${OLDEST_NODE}`, 'Upgrade Node.');
}

function attempt<Value>(read: () => Value): Value | SettingError {
  try {
    return read();
  } catch (error) {
    if (error instanceof SettingError) return error;
    throw error;
  }
}
