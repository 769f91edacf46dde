import type { SettingReader } from './setting-reader.js';
import { SETTINGS } from './settings.js';

/** Where operators ask how the service does: health, readiness, metrics. */
export interface OpsSettings {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
}

/** `null` where `OPS_PORT` is not set. @param publicPort the one of the service, which must be another one */
export function readOpsSettings(read: SettingReader, publicPort: number): OpsSettings | null {
  const host = read.value(SETTINGS.OPS_HOST);
  const port = read.value(SETTINGS.OPS_PORT);
  if (port === null) return null;
  if (port !== 0 && port === publicPort) {
    read.refuse('OPS_PORT is PORT: whoever reaches the service would reach its metrics too');
  }
  return { host, port };
}
