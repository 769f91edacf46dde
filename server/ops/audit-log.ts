import { pino } from 'pino';
import { type Audit, silentAudit } from '../gate/audit.js';
import { describeError } from './describe-error.js';
import { LineWriter, type LineWriterEvents } from './line-writer.js';
import { isoTime, type Log } from './log.js';
import { boundedRecord, plainLine } from './record.js';

/** How long the end of the process waits for records that are not written yet. */
const CLOSE_PATIENCE_MS = 1_000;
/** Of one record, without what JSON adds: a hundred topics fit in. */
const MAX_CHARACTERS = 57_344;

export interface AuditLog extends Audit {
  /** Opens the file anew by its name, once whoever rotates logs has moved it away. */
  reopen(): void;
  /** How many records found no room, since the start. */
  readonly lostLines: number;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/**
 * Tells of decisions and revocations, one JSON object a line, whatever the level of the log.
 * @param place a file, `stderr`, or `off`
 * @throws Error if the file cannot be opened: who wants an audit shall not be without one unawares.
 */
export async function openAuditLog(place: string, log: Log): Promise<AuditLog> {
  if (place === 'off') return { ...silentAudit, reopen() {}, lostLines: 0, close: async () => {} };
  const events: LineWriterEvents = {
    onFailure: (error) =>
      log.error({ cause: describeError(error) }, 'the audit log cannot be written'),
    onRecovery: (lost) => log.warn({ lost }, 'the audit log is written again'),
    onNotReopened: (error) =>
      log.error({ cause: describeError(error) }, 'the audit log cannot be opened anew'),
  };
  const writer = place === 'stderr' ? LineWriter.onStderr(events) : await openFile(place, events);
  const records = pino(
    {
      base: null,
      // A level would say nothing here; what kind of line it is helps where it shares standard error with the log.
      formatters: { level: () => ({ log: 'audit' }) },
      timestamp: isoTime,
    },
    { write: (line) => writer.write(plainLine(line)) },
  );
  return {
    record: (entry) => records.info(boundedRecord(entry, MAX_CHARACTERS)),
    reopen: () => writer.reopen(),
    get lostLines() {
      return writer.lostLines;
    },
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
