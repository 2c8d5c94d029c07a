import { isatty } from 'node:tty';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Events as JSON lines, readable text on a terminal. Callers log ids and counts; as a second line of defence the
 * fields that could carry a prompt, an answer or a secret are removed wherever they turn up.
 */
export function createLogger(service: string, level: LogLevel): Logger {
  const options = {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        'authorization',
        'apiKey',
        'headers',
        'body',
        '*.authorization',
        '*.apiKey',
        '*.headers',
        '*.body',
        'req.headers',
        'err.headers',
        'err.config',
      ],
      remove: true,
    },
  };
  // Not `process.stdout`: in a thread that is a pipe to the main one, while pino writes where the process does.
  if (!isatty(1)) return pino(options);
  return pino(options, pretty({ colorize: true, sync: true, ignore: 'pid,hostname' }));
}
