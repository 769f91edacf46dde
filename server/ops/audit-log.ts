import { pino } from 'pino';
import { type Audit, silentAudit } from '../gate/audit.js';
import { LineWriter, type LineWriterEvents } from './line-writer.js';
import { describeError, type Log } from './log.js';

/** How long the end of the process waits for records that are not written yet. */
const CLOSE_PATIENCE_MS = 1_000;
const MAX_TEXT_LENGTH = 512;
const MAX_ITEMS = 100;
/** Not escaped by JSON; some readers take them for the end of a line, terminals act upon them, UTF-8 has none of half. */
const UNSEEN = /[\u007f-\u009f\u2028\u2029]|\p{Bidi_Control}|\p{Surrogate}/gu;

export interface AuditLog extends Audit {
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/**
 * Tells of decisions and revocations, one JSON object a line, whatever the level of the log.
 * @param place a file, `stderr`, or `off`
 * @throws Error if the file cannot be opened: who wants an audit shall not be without one unawares.
 */
export async function openAuditLog(place: string, log: Log): Promise<AuditLog> {
  if (place === 'off') return { ...silentAudit, close: async () => {} };
  const events: LineWriterEvents = {
    onFailure: (error) =>
      log.error({ cause: describeError(error) }, 'the audit log cannot be written'),
    onRecovery: (lost) => log.warn({ lost }, 'the audit log is written again'),
  };
  const writer = place === 'stderr' ? LineWriter.onStderr(events) : await openFile(place, events);
  const records = pino(
    {
      base: null,
      // A level would say nothing here; what kind of line it is helps where it shares standard error with the log.
      formatters: { level: () => ({ log: 'audit' }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    { write: (line) => writer.write(line.replace(UNSEEN, escapeCharacter)) },
  );
  return {
    record: (entry) => records.info(bounded(entry)),
    close: () => writer.close(CLOSE_PATIENCE_MS),
  };
}

async function openFile(path: string, events: LineWriterEvents): Promise<LineWriter> {
  try {
    return await LineWriter.openFile(path, events);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`the audit log ${path} cannot be opened (${code}): see AUDIT_LOG`, { cause });
  }
}

/** What a record holds of texts and lists comes from callers; a cut one says so. */
function bounded<Value>(value: Value): Value;
function bounded(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.length <= MAX_TEXT_LENGTH ? value : `${value.slice(0, MAX_TEXT_LENGTH)}…`;
  }
  if (Array.isArray(value)) {
    const items: unknown[] = value.slice(0, MAX_ITEMS).map((item) => bounded(item));
    const more = value.length - items.length;
    return more === 0 ? items : [...items, `… and ${more} more`];
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, bounded(member)]));
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
