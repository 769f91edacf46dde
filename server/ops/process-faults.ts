import { describeError } from './describe-error.js';
import type { ServiceLog } from './log.js';

/**
 * Tells the log, in place of what Node would write by itself: the words of a warning or of an error that nobody caught, with
 * whatever they repeat; the same for what libraries write to the console. An error that nobody caught ends the process as before.
 */
export function watchProcess(log: ServiceLog): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    log.warn({ cause: describeError(warning, { withStack: true }) }, 'a warning of the runtime');
  });
  // Some libraries tell faults to the console: lmdb a full disk, in lines that are no JSON.
  const told = (...said: readonly unknown[]) => {
    const error = said.find((part) => part instanceof Error);
    log.warn({ cause: describeError(error, { withStack: true }) }, 'a library tells of a fault');
  };
  console.error = told;
  console.warn = told;
  let hasFailed = false;
  const fail = (error: unknown) => {
    if (hasFailed) return;
    hasFailed = true;
    log.error({ cause: describeError(error, { withStack: true }) }, 'the service failed');
    void log.close().finally(() => process.exit(1));
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
}
