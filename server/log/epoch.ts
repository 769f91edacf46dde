import { createHash, randomBytes } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;

/**
 * The epoch of a workspace's cursors. It follows from the log's identity and the workspace's name, so a workspace
 * costs nothing before its first event, and no cursor fits another workspace or another log.
 */
export function epochOf(logId: Buffer, workspace: string): string {
  return epochFrom(createHash('sha256').update(logId).update(workspace).digest());
}

/** An epoch that no log has had. */
export function randomEpoch(): string {
  return epochFrom(randomBytes(LENGTH));
}

function epochFrom(bytes: Buffer): string {
  return Array.from({ length: LENGTH }, (_, at) =>
    CROCKFORD.charAt(bytes.readUInt8(at) % CROCKFORD.length),
  ).join('');
}
