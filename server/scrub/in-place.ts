import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { carryOver } from './carry-over.js';
import { LONGEST_BEGINNING, packedFormatOf } from './packed.js';
import { type Parts, partsOfFile, writePart } from './parts.js';
import { ScrubError } from './scrub-error.js';
import { Scrubber, type ScrubberOptions } from './scrubber.js';
import { removeLeftovers, temporaryPath } from './temporary-file.js';

export interface ReadOptions extends ScrubberOptions {
  readonly signal: AbortSignal;
  /** Told how much of a file has been read. */
  readonly onProgress?: (bytes: number) => void;
}

/** Hands what is read, scrubbed, to `write`, one part after the other. */
export async function readScrubbed(
  parts: Parts,
  write: (part: Uint8Array) => Promise<void> | void,
  { signal, onProgress = () => {}, ...options }: ReadOptions,
): Promise<void> {
  const scrubber = new Scrubber(options);
  let beginning = Buffer.alloc(0);
  let position = 0;
  for await (const part of parts) {
    if (signal.aborted) throw new ScrubError('stopped');
    if (position < LONGEST_BEGINNING) {
      beginning = Buffer.concat([beginning, part.subarray(0, LONGEST_BEGINNING)]);
      refusePacked(beginning);
    }
    position += part.length;
    await write(scrubber.push(part));
    onProgress(position);
  }
  if (signal.aborted) throw new ScrubError('stopped');
  await write(scrubber.end());
}

function refusePacked(beginning: Uint8Array): void {
  const format = packedFormatOf(beginning);
  if (format === null) return;
  const { name, unpack } = format;
  throw new ScrubError(`is packed with ${name}: unpack it first (${unpack} FILE | sluice scrub)`);
}

/**
 * Writes the scrubbed text beside the file and puts it in its place in one step, so that whatever happens one of the two is there,
 * whole. A file without findings is not touched.
 * @returns how many secrets were removed
 * @throws ScrubError where the file cannot be replaced without loss
 */
export async function scrubInPlace(path: string, options: ReadOptions): Promise<number> {
  // Of a symbolic link, the file that it leads to is replaced.
  const target = await realpath(path);
  // A pipe that nobody writes to would be waited for.
  return withFile(target, constants.O_RDONLY | constants.O_NONBLOCK, async (source) => {
    const before = await source.stat();
    refuseKind(before);
    await removeLeftovers(target);
    const temporary = temporaryPath(target);
    try {
      const count = await writeScrubbed(source, temporary, before, options);
      if (count === 0) return 0;
      refuseChange(before, await source.stat(), await stat(target));
      if (options.signal.aborted) throw new ScrubError('stopped');
      await rename(temporary, target);
      await withFile(dirname(target), 'r', (folder) => folder.sync());
      if ((await source.stat()).size > before.size) {
        // What was written to the old file between the last look at it and its end.
        await withFile(target, 'a', (file) => carryOver(source, file, before.size, options));
        throw new ScrubError(
          'was written to while it was replaced; what came is in it, but whoever writes it must open it anew now',
        );
      }
      return count;
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

async function withFile<T>(
  path: string,
  flags: string | number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function refuseKind(stats: Stats): void {
  if (!stats.isFile()) throw new ScrubError('is not a regular file');
  if (stats.nlink > 1) {
    throw new ScrubError(
      `has ${stats.nlink} names (hard links), and the others would keep what is scrubbed`,
    );
  }
}

function refuseChange(before: Stats, after: Stats, atPath: Stats): void {
  if (atPath.ino !== before.ino || atPath.dev !== before.dev) {
    throw new ScrubError('was replaced while it was scrubbed; it is as it was');
  }
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
    throw new ScrubError('is being written to; rotate the log first. It is as it was');
  }
}

async function writeScrubbed(
  source: FileHandle,
  temporary: string,
  { mode, uid, gid }: Stats,
  options: ReadOptions,
): Promise<number> {
  let count = 0;
  const onFinding: ScrubberOptions['onFinding'] = (place) => {
    count++;
    options.onFinding?.(place);
  };
  return withFile(temporary, 'wx', async (copy) => {
    await readScrubbed(partsOfFile(source.fd), (part) => writePart(copy.fd, part), {
      ...options,
      onFinding,
    });
    if (count === 0) return 0;
    const own = await copy.stat();
    if (own.uid !== uid || own.gid !== gid) await copy.chown(uid, gid);
    // After the owner, since a change of it takes the special bits away.
    await copy.chmod(mode & 0o7777);
    await copy.sync();
    return count;
  });
}
