import { encodeFrame } from '@sluice/protocol';
import type { Follower } from './follower.js';
import type { WorkspaceHub } from './workspace-hub.js';

const PING = Buffer.from(encodeFrame({ comment: 'ping' }));

/**
 * Shows a stream that it is alive. Where the workspace has moved on without an event for this stream, the heartbeat
 * carries the new cursor, so that a quiet stream resumes without reading through what does not concern it.
 */
export function heartbeat(follower: Follower, hub: WorkspaceHub): void {
  if (follower.blockedSince > 0) return;
  if (follower.cursor < hub.head && isCurrent(follower, hub)) {
    follower.cursor = hub.head;
    write(follower, hub, hub.pingAtHead());
  } else {
    write(follower, hub, PING);
  }
}

function write(follower: Follower, { deliveries }: WorkspaceHub, ping: Buffer): void {
  deliveries.bytes += ping.length;
  follower.write(ping);
}

function isCurrent(follower: Follower, hub: WorkspaceHub): boolean {
  return follower.position >= 0 && hub.groupOf(follower)?.isCurrent(follower.cursor) === true;
}
