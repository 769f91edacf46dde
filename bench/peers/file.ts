import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVER_CORE } from '../bench.js';
import { eventJson, httpRequest } from '../event.js';
import { PinnedProcess } from '../pinned-process.js';
import { PEER_PROGRAMS } from '../root.js';
import type { Peer, Place, RunningPeer } from './peer.js';
import { ProcessPeer } from './process-peer.js';
import { FLAGS } from './sluice.js';

const PROGRAM = join(PEER_PROGRAMS, 'file-server.js');

/** A server of Node, with the flags of Sluice, that pipes a file of frames into each stream. */
export class FilePeer implements Peer {
  readonly name = 'a file, piped by Node';

  constructor(
    private readonly folder: string,
    private readonly events: number,
  ) {}

  async start(): Promise<RunningPeer> {
    const path = join(this.folder, `frames-${this.events}`);
    const json = eventJson();
    const frames = Array.from(
      { length: this.events },
      (_, at) => `id: 01234567-${at + 2}\ndata: ${json}\n\n`,
    );
    await writeFile(path, frames.join(''));
    const args = [...FLAGS, PROGRAM, path];
    const server = new PinnedProcess(process.execPath, args, { core: SERVER_CORE });
    return new RunningFile([server], Number(await server.said(/listens on (\d+)/)));
  }
}

class RunningFile extends ProcessPeer {
  /** What is published is thrown away: the file has it. */
  override publishRequest({ workspace }: Place): string {
    return httpRequest(`POST /events/${workspace}`, { 'Content-Type': 'application/json' }, '[]');
  }
}
