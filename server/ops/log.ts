import { pino } from 'pino';
import type { LogLevel } from '../config.js';
import { LineWriter } from './line-writer.js';
import { boundedRecord, plainLine } from './record.js';

/** How long the end of the process waits for lines that are not written yet. */
const CLOSE_PATIENCE_MS = 1_000;
/** Of one line, without what JSON adds. */
const MAX_CHARACTERS = 8_192;

/**
 * Where the service tells what it does. No caller hands it a URL, a header or a token: what is never passed in cannot
 * be written out.
 */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether lines of this level are written; without it, all are taken to be. What is not written is not put together. */
  isLevelEnabled?(level: 'info' | 'warn' | 'error'): boolean;
  /** How many lines found no room, since the start, as far as that is known. */
  readonly lostLines?: number;
}

export const silentLog: Log = { info() {}, warn() {}, error() {}, isLevelEnabled: () => false };

/** The log of a process. */
export interface ServiceLog extends Log {
  readonly lostLines: number;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/**
 * One JSON object a line, on standard error: standard output belongs to what a person reads at start. A reader that does
 * not keep up costs lines, which are counted, and neither time nor memory.
 */
export function createLog(level: LogLevel): ServiceLog {
  const writer: LineWriter = LineWriter.onStderr({
    // There is nowhere else to tell of it.
    onFailure() {},
    onRecovery: (lost) => {
      if (lost > 0) records.warn({ lost }, 'lines of the log were lost');
    },
  });
  const records = pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: isoTime,
    },
    { write: (line) => writer.write(plainLine(line)) },
  );
  const tell = (at: 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (records.isLevelEnabled(at)) records[at](boundedRecord(fields, MAX_CHARACTERS), message);
  };
  return {
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    isLevelEnabled: (at) => records.isLevelEnabled(at),
    get lostLines() {
      return writer.lostLines;
    },
    close: () => writer.close(CLOSE_PATIENCE_MS),
  };
}

let toldMs = Number.NaN;
let toldTime = '';

/** RFC 3339, as pino wants it. Written out once a millisecond: under load that has several lines. */
export function isoTime(): string {
  const now = Date.now();
  if (now !== toldMs) {
    toldMs = now;
    toldTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return toldTime;
}
