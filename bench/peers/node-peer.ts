import { join } from 'node:path';
import { PinnedProcess } from '../pinned-process.js';
import { PEER_PROGRAMS } from '../root.js';
import type { Peer, RunningPeer } from './peer.js';
import { ProcessPeer } from './process-peer.js';

/** A server of a few lines, run by Node. */
export class NodePeer implements Peer {
  constructor(
    readonly name: string,
    private readonly program: 'better-sse' | 'express-loop',
    private readonly core: number,
  ) {}

  async start(): Promise<RunningPeer> {
    const path = join(PEER_PROGRAMS, `${this.program}.js`);
    const env = { NODE_ENV: 'production' };
    const process_ = new PinnedProcess(process.execPath, [path], { core: this.core, env });
    const port = Number(await process_.said(/listens on (\d+)/));
    return new ProcessPeer([process_], port);
  }
}
