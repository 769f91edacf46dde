import { getSystemErrorName } from 'node:util';
import type { RootDatabase } from 'lmdb';

/**
 * Runs `work` in one transaction: all of it or nothing. Resolves when the disk has it.
 * @throws whatever `work` throws, and an Error when the transaction cannot be written, as on a full disk.
 */
export async function transact(
  root: RootDatabase<Buffer, Uint8Array>,
  work: () => void,
): Promise<void> {
  let hasRun = false;
  // A child transaction, since only that is rolled back when its callback throws.
  const done = root.childTransaction(() => {
    hasRun = true;
    work();
  });
  // lmdb rejects promises of its own beside the one it returns; unheard, they would end the process.
  root.committed.then(ignore, ignore);
  try {
    await done;
    // lmdb would not tell; it is not known to happen.
    if (!hasRun) throw new Error('the transaction was left out');
  } catch (error) {
    const { commitError } = error as { commitError?: Promise<unknown> };
    if (commitError === undefined) throw error;
    throw notWritten(await commitError.catch((reason: unknown) => reason));
  }
}

/** lmdb tells the number of the system's error alone, and `EIO` for a disk that has room for a part of what is written. */
function notWritten(reason: unknown): Error {
  const { code } = Object(reason) as { code?: unknown };
  const error = new Error('the data folder cannot be written: is its disk full?');
  return typeof code === 'number' && code > 0
    ? Object.assign(error, { code: getSystemErrorName(-code) })
    : error;
}

function ignore(): void {}
