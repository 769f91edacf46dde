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
  const { name, stack } = error;
  const { code } = error as NodeJS.ErrnoException;
  return {
    name,
    message: messageOf(error),
    ...(typeof code === 'string' && { code }),
    ...(withStack && { stack }),
  };
}

/** The system and TLS put addresses into their words. */
function messageOf(error: Error): string {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  if (typeof syscall === 'string') return `${syscall} ${code}`;
  return code.startsWith('ERR_TLS') ? 'the certificate is not accepted' : error.message;
}
