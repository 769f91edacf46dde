import { readSync, writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/** Read at once: what stays in the caches of a processor until it is written. */
const PART_BYTES = 128 * 1024;
/** Memory of this size begins close behind the beginning of a page, where some processors copy from the kernel at a fifth of the speed. */
const OFF_PAGE_BYTES = 64;

/** What is read, one part after the other; all of them stand in the same memory. */
export type Parts = AsyncIterable<Uint8Array>;

/**
 * Of a regular file, from `from` on or from where it stands. It is there at once: to have threads read it would take as long as
 * what is done with it.
 */
export async function* partsOfFile(fd: number, from: number | null = null): Parts {
  const memory = newMemory();
  let position = from;
  for (;;) {
    const length = readSync(fd, memory, 0, memory.length, position);
    if (length === 0) return;
    if (position !== null) position += length;
    yield memory.subarray(0, length);
    // Ctrl-C is heard between two parts.
    await setImmediate();
  }
}

/** What may have to be waited for, such as a named pipe. */
export async function* partsOfPipe(file: FileHandle): Parts {
  const memory = newMemory();
  for (;;) {
    const { bytesRead } = await file.read(memory, 0, memory.length, null);
    if (bytesRead === 0) return;
    yield memory.subarray(0, bytesRead);
  }
}

function newMemory(): Buffer {
  return Buffer.allocUnsafeSlow(OFF_PAGE_BYTES + PART_BYTES).subarray(OFF_PAGE_BYTES);
}

/** Into a regular file; at once, as it is read. */
export function writePart(fd: number, part: Uint8Array): void {
  for (let written = 0; written < part.length; ) {
    written += writeSync(fd, part, written);
  }
}
