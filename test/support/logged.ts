import type { Service } from './service.js';

/** A line of the service's log. */
export type LoggedLine = Readonly<Record<string, unknown>>;

/** The lines that it has written on standard error, those of the audit log among them. */
export function loggedLines(service: Service): LoggedLine[] {
  return service.stderr.items.map((line) => JSON.parse(line) as LoggedLine);
}
