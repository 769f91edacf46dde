import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

/** What is in a file, or why that cannot be said, in words that follow the name of a setting. */
export type FileContents =
  | { readonly text: string; readonly isOpenToOthers: boolean }
  | { readonly fault: string };

/** Reads a file of at most `mostBytes`, as text. Nothing that could block or never end is read: no pipe, no device. */
export function readBoundedFile(path: string, mostBytes: number): FileContents {
  let file: number;
  try {
    // A pipe that nobody writes to would be waited for without O_NONBLOCK.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { fault: cannotBeRead(error) };
  }
  try {
    const stats = fstatSync(file);
    if (stats.isDirectory()) return { fault: 'names a folder, not a file' };
    if (!stats.isFile()) return { fault: 'names something that is not a regular file' };
    const bytes = readUpTo(file, mostBytes + 1);
    if (bytes.length > mostBytes) return { fault: `names a file of more than ${mostBytes} bytes` };
    const text = decode(bytes);
    if (text === null) return { fault: 'names a file that is not text (UTF-8)' };
    return { text, isOpenToOthers: isOpenToOthers(stats) };
  } catch (error) {
    return { fault: cannotBeRead(error) };
  } finally {
    closeSync(file);
  }
}

/** Its size is not asked for beforehand: it may grow, and in /proc it is always 0. */
function readUpTo(file: number, most: number): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < most) {
    const chunk = Buffer.alloc(Math.min(65_536, most - length));
    const count = readSync(file, chunk);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    length += count;
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

/**
 * Whether everybody may read it by the will of whoever runs the service. Secrets that Docker and Kubernetes mount belong to
 * root and are for all within the container: that is not for the process to mend.
 */
function isOpenToOthers({ mode, uid }: Stats): boolean {
  const self = process.getuid?.() ?? 0;
  return self !== 0 && uid === self && (mode & 0o007) !== 0;
}

function cannotBeRead(error: unknown): string {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return `names a file that cannot be read (${code ?? 'unknown'})`;
}
