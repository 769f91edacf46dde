import { randomUUID } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { IssuerError } from './issuer-error.js';
import type { PrivateText } from './private-document.js';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const GROUP_AND_OTHERS = 0o077;
const MAX_BYTES = 16_777_216;
const LOCK_RETRY_MS = 20;

// Windows has neither modes of this kind nor folders that can be synced.
const IS_POSIX = process.platform !== 'win32';

/** Makes the folder where it is missing, and refuses one that others may enter. */
export async function preparePrivateFolder(path: string): Promise<void> {
  try {
    // The data folder above it is shared with other parts and keeps the ordinary mode.
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { mode: FOLDER_MODE }).catch((error) => ignore(error, 'EEXIST'));
    refuseOpenMode(path, (await stat(path)).mode, FOLDER_MODE);
  } catch (error) {
    throw storageError(path, error);
  }
}

/** The version of the file, without reading it; `null` where there is none. */
export async function versionOfPrivateFile(path: string): Promise<string | null> {
  try {
    return versionOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw storageError(path, error);
  }
}

/**
 * The file's text; `null` where there is none.
 * @throws IssuerError if others may read it, or it cannot be read.
 */
export async function readPrivateFile(path: string): Promise<PrivateText | null> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const version = vet(path, await file.stat({ bigint: true }));
    return { text: await file.readFile('utf8'), version };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw storageError(path, error);
  } finally {
    await file?.close();
  }
}

/** As `versionOfPrivateFile`, for whoever cannot wait. */
export function versionOfPrivateFileNow(path: string): string | null {
  try {
    return versionOf(statSync(path, { bigint: true }));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw storageError(path, error);
  }
}

/** As `readPrivateFile`, for whoever cannot wait. */
export function readPrivateFileNow(path: string): PrivateText | null {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const version = vet(path, fstatSync(file, { bigint: true }));
    return { text: readFileSync(file, 'utf8'), version };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw storageError(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Writes a file that does not exist yet. Where another process was first, its file stays. */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(draft, 'wx', FILE_MODE);
    try {
      await writeDurably(file, text);
    } finally {
      await file.close();
    }
    // A rename would replace the file of a process that was faster; a link never does.
    await link(draft, path).catch((error) => ignore(error, 'EEXIST'));
    await syncFolder(dirname(path));
  } catch (error) {
    throw storageError(path, error);
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Replaces the file by what `change` makes of it, whole or not at all. Changes by several processes come one after the
 * other: the next text is written into the lock file, which then becomes the file.
 * @param patienceMs how long to wait for a change that another process makes
 */
export async function changePrivateFile(
  path: string,
  change: (text: string | null) => string,
  patienceMs: number,
): Promise<void> {
  const lock = `${path}.lock`;
  const file = await takeLock(lock, patienceMs);
  try {
    try {
      await writeDurably(file, change((await readPrivateFile(path))?.text ?? null));
    } finally {
      await file.close();
    }
    await rename(lock, path);
  } catch (error) {
    await rm(lock, { force: true });
    throw storageError(path, error);
  }
  await syncFolder(dirname(path));
}

async function takeLock(lock: string, patienceMs: number): Promise<FileHandle> {
  for (let waitedMs = 0; ; waitedMs += LOCK_RETRY_MS) {
    try {
      return await open(lock, 'wx', FILE_MODE);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw storageError(lock, error);
      if (waitedMs >= patienceMs) {
        throw new IssuerError(
          `${lock} exists: another command is changing the file; if none is running, remove the lock`,
        );
      }
      await delay(LOCK_RETRY_MS);
    }
  }
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  await file.writeFile(text);
  await file.sync();
}

/** Makes the new name durable: without it a power cut may bring the old folder back. */
async function syncFolder(path: string): Promise<void> {
  if (!IS_POSIX) return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The version of a file that may be read. @throws IssuerError for any other. */
function vet(path: string, stats: BigIntStats): string {
  refuseOpenMode(path, Number(stats.mode), FILE_MODE);
  if (stats.size > MAX_BYTES) throw new IssuerError(`${path} is too large`);
  return versionOf(stats);
}

function refuseOpenMode(path: string, mode: number, wanted: number): void {
  if (!IS_POSIX || (mode & GROUP_AND_OTHERS) === 0) return;
  throw new IssuerError(
    `${path} is open to other users of this machine; close it with: chmod ${wanted.toString(8)} ${path}`,
  );
}

function versionOf(stats: { mtimeNs: bigint; ino: bigint; size: bigint }): string {
  return `${stats.mtimeNs}-${stats.ino}-${stats.size}`;
}

function ignore(error: unknown, code: string): void {
  if (!hasCode(error, code)) throw error;
}

function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

function storageError(path: string, error: unknown): Error {
  // What has no system code was thrown on purpose, by this file or by the caller's change.
  const code = codeOf(error);
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error as Error;
  return new IssuerError(`${path} cannot be used (${code})`, { cause: error });
}
