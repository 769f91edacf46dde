import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ScrubError } from './scrub-error.js';

/** A run writes all the time: what nobody has written to for so long is left over, whoever has the number of its process now. */
const OLD_MS = 60 * 60 * 1000;
const NAME = /^(\d+)\.(?:([0-9a-f]{8})[0-9a-f]+\.)?sluice-scrub$/;
/** Where the numbers of processes mean the same: in another container, another process has the same number. */
const PLACE = createHash('sha256')
  .update(`${hostname()} ${pidNamespace()}`)
  .digest('hex')
  .slice(0, 8);

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Beside `target`, and of this run alone. */
export function temporaryPath(target: string): string {
  const random = randomBytes(6).toString('hex');
  return join(
    dirname(target),
    `.${basename(target)}.${process.pid}.${PLACE}${random}.sluice-scrub`,
  );
}

/** Removes what a run left that was killed. @throws ScrubError where one is at work on the file */
export async function removeLeftovers(target: string): Promise<void> {
  const beginning = `.${basename(target)}.`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(beginning)) continue;
    const [, pid, place = PLACE] = NAME.exec(name.slice(beginning.length)) ?? [];
    if (pid === undefined) continue;
    const path = join(dirname(target), name);
    if (!(await isOld(path))) {
      // Whether it is at work cannot be seen from here. Where it is, the first of the two to be done replaces the file.
      if (place !== PLACE) continue;
      if (isOther(Number(pid))) throw new ScrubError(`is being scrubbed by process ${pid}`);
    }
    await rm(path, { force: true });
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > OLD_MS;
  } catch (error) {
    // Its run has come to its end meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Whether it is a process that runs, and not this one, to which the number was given anew. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
