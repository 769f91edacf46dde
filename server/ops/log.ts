import { pino } from 'pino';
import type { LogLevel } from '../config.js';

/**
 * Where the service tells what it does. No caller hands it a URL, a header or a token: what is never passed in cannot
 * be written out.
 */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

/** One JSON object a line, on standard error: standard output belongs to what a person reads at start. */
export function createLog(level: LogLevel): Log {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: false }));
}

/** What a log may hold of an error: its other members could repeat what the caller sent. */
export function describeError(error: unknown, { withStack = false } = {}): object {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name, message, stack } = error;
  // `fetch` keeps to itself what went wrong: the name of the system's error stands one level below.
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return { name, message, ...(typeof code === 'string' && { code }), ...(withStack && { stack }) };
}
