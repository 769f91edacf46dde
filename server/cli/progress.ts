import type { Writable } from 'node:stream';
import { onOneLine } from './command.js';

/** A file below this is through before anybody looks. */
const LONG_BYTES = 64 * 1024 * 1024;
const BETWEEN_MS = 200;
const WIDTH = 30;

/** How far a long file has come, on a terminal; nothing elsewhere. */
export interface Progress {
  readonly show: (bytes: number) => void;
  readonly clear: () => void;
}

export function createProgress(stderr: Writable, name: string, total: number): Progress {
  const isTerminal = (stderr as { isTTY?: boolean }).isTTY === true;
  if (!isTerminal || total < LONG_BYTES) return { show: () => {}, clear: () => {} };
  const label = onOneLine(name).slice(-40);
  let shownAtMs = Number.NEGATIVE_INFINITY;
  return {
    show(bytes) {
      const now = performance.now();
      if (now - shownAtMs < BETWEEN_MS) return;
      shownAtMs = now;
      const share = Math.min(1, bytes / total);
      const done = Math.round(share * WIDTH);
      const bar = '#'.repeat(done).padEnd(WIDTH, '.');
      stderr.write(`\r[${bar}] ${String(Math.floor(share * 100)).padStart(3)} % ${label}`);
    },
    clear() {
      if (shownAtMs > 0) stderr.write('\r\u001b[K');
    },
  };
}
