export { createLogger, logLevels, type Logger, type LogLevel } from './logger.ts';
