export { batchInputRules } from './batch-input-rules.ts';
export {
  configuredLimits,
  loadConfiguration,
  readConfiguration,
  routeModel,
  type Configuration,
  type LimitSettings,
  type ProviderSettings,
  type RetryPolicy,
} from './configuration.ts';
export { commonEnvironment, parseEnvironment, SettingError, wholeNumber } from './environment.ts';
