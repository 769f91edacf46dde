import { createHash } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;

/**
 * The epoch of a workspace's cursors. It follows from the log's identity and the workspace's name, so a workspace
 * costs nothing before its first event, and no cursor fits another workspace or another log.
 */
export function epochOf(logId: Buffer, workspace: string): string {
  const digest = createHash('sha256').update(logId).update(workspace).digest();
  return Array.from({ length: LENGTH }, (_, at) =>
    CROCKFORD.charAt(digest.readUInt8(at) % CROCKFORD.length),
  ).join('');
}
