import { X509Certificate } from 'node:crypto';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Config } from '../config.js';
import { PolicyFile } from '../gate/permission/policy-file.js';
import { PolicyFault } from '../gate/permission/policy-rules.js';

/** What is to be said of settings. */
export interface Remarks {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

/** Files that the service has open beside its streams: the log, sockets to Redis and issuers, requests under way. */
const OTHER_FILES = 1_000;

/** Looks at what the settings point to on this machine. Nothing is made, and nobody is asked. */
export async function checkSurroundings(config: Config): Promise<Remarks> {
  const faults = [
    config.redis === null ? await dataFolderFault(config.dataDir) : null,
    await policyFault(config),
    await auditLogFault(config.auditLog),
  ];
  const warnings = [
    await openFilesWarning(config),
    authoritiesWarning(config),
    passwordWarning(config),
  ];
  const isSaid = (remark: string | null) => remark !== null;
  return { faults: faults.filter(isSaid), warnings: warnings.filter(isSaid) };
}

/** The folder is made where it is missing, so the first one above it that there is must take a new one. */
async function dataFolderFault(folder: string): Promise<string | null> {
  const found = await kindOf(folder);
  if (found === 'other') return 'DATA_DIR is not a folder';
  if (found === 'none' && dirname(folder) !== folder) return dataFolderFault(dirname(folder));
  if (found === 'folder' && (await may(folder, constants.W_OK | constants.X_OK))) return null;
  return 'DATA_DIR cannot be written, or not be made: this user has no right to';
}

async function policyFault({ permissions }: Config): Promise<string | null> {
  if (permissions.kind !== 'policy-file') return null;
  try {
    const file = await PolicyFile.open({ path: permissions.path, onFailure: () => {} });
    file.close();
    return null;
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof PolicyFault) {
      return `POLICY_FILE names a file that is no policy: ${cause.message.replaceAll('\n', '; ')}`;
    }
    const { code } = (cause ?? {}) as NodeJS.ErrnoException;
    return `POLICY_FILE names a file that cannot be read (${code ?? 'unknown'})`;
  }
}

async function auditLogFault(auditLog: string): Promise<string | null> {
  if (auditLog === 'off' || auditLog === 'stderr') return null;
  const path = resolve(auditLog);
  const found = await kindOf(path);
  if (found === 'folder') return 'AUDIT_LOG is a folder, not a file';
  const isWritable =
    found === 'none'
      ? await may(dirname(path), constants.W_OK | constants.X_OK)
      : await may(path, constants.W_OK);
  return isWritable ? null : 'AUDIT_LOG cannot be written, or its folder is missing';
}

async function openFilesWarning({ admission }: Config): Promise<string | null> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  // Node raises the soft limit to the hard one when it starts, so this is what the service would get from here.
  const most = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  if (admission.maxStreams + OTHER_FILES <= most) return null;
  return `MAX_STREAMS is ${admission.maxStreams}, and a process that is started from here may have ${most} files open: raise that limit (ulimit -n, LimitNOFILE=) to ${admission.maxStreams + OTHER_FILES}, or lower MAX_STREAMS`;
}

function authoritiesWarning({ redis }: Config): string | null {
  const blocks = redis?.ca?.match(/-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/g) ?? [];
  const isOver = blocks.some(
    (block) => Date.parse(new X509Certificate(block).validTo) < Date.now(),
  );
  return isOver ? 'REDIS_CA_FILE holds a certificate that has expired' : null;
}

function passwordWarning({ redis }: Config): string | null {
  return redis?.exposesPassword === true
    ? 'REDIS_URL has a password that passes a network without TLS: use rediss'
    : null;
}

async function kindOf(path: string): Promise<'folder' | 'other' | 'none'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    // A file where a folder should be above it.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'other';
  }
}

async function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
