import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { partsOfFile, writePart } from './parts.js';
import { Scrubber, type ScrubberOptions, scrub } from './scrubber.js';

const LINE_FEED = 10;
/** Of a line that was cut so much is read again, to tell what is secret in the rest of it. */
const MOST_OF_LINE = 64 * 1024;

/**
 * Appends, scrubbed, what was written to the old file after its first `size` bytes, which `target` holds already.
 * Where those end within a line, the rest of it is what it is in the whole line: the rest of a token goes with it.
 */
export async function carryOver(
  source: FileHandle,
  target: FileHandle,
  size: number,
  { onFinding = () => {} }: ScrubberOptions,
): Promise<void> {
  const beginning = lastLineOf(source.fd, size);
  let told = 0;
  let known = scrub(beginning, { onFinding: () => told++ });
  const scrubber = new Scrubber({
    onFinding: (place) => {
      if (told > 0) told--;
      else onFinding(place);
    },
  });
  const write = (part: Uint8Array) => {
    const same = sameLength(known, part);
    const isKnown = same === Math.min(known.length, part.length);
    known = known.subarray(isKnown ? same : known.length);
    writePart(target.fd, part.subarray(same));
  };
  write(scrubber.push(beginning));
  for await (const part of partsOfFile(source.fd, size)) write(scrubber.push(part));
  write(scrubber.end());
  await target.sync();
}

/** What stands before `size` and after the last end of a line. */
function lastLineOf(fd: number, size: number): Buffer {
  const from = Math.max(0, size - MOST_OF_LINE);
  const memory = Buffer.alloc(size - from);
  const length = readSync(fd, memory, 0, memory.length, from);
  const end = memory.subarray(0, length);
  return end.subarray(end.lastIndexOf(LINE_FEED) + 1);
}

function sameLength(one: Uint8Array, other: Uint8Array): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length++;
  return length;
}
