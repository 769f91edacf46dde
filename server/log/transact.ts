import type { RootDatabase } from 'lmdb';

/**
 * Runs `work` in one transaction: all of it or nothing. Resolves when the disk has it.
 * @throws whatever `work` throws, and an Error when the transaction cannot be written, as on a full disk.
 */
export async function transact(
  root: RootDatabase<Buffer, Uint8Array>,
  work: () => void,
): Promise<void> {
  // A child transaction, since only that is rolled back when its callback throws.
  const done = root.childTransaction(work);
  // lmdb rejects promises of its own beside the one it returns; unheard, they would end the process.
  root.committed.then(ignore, ignore);
  try {
    await done;
  } catch (error) {
    const { commitError } = error as { commitError?: Promise<unknown> };
    commitError?.catch(ignore);
    throw error;
  }
}

function ignore(): void {}
