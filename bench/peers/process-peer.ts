import { httpRequest } from '../event.js';
import type { PinnedProcess } from '../pinned-process.js';
import type { Place, RunningPeer, StreamRequest } from './peer.js';

/** A peer whose streams are `GET /streams/<place>` and whose events are `POST /events/<place>`, without a token. */
export class ProcessPeer implements RunningPeer {
  constructor(
    private readonly processes: readonly PinnedProcess[],
    readonly port: number,
  ) {}

  cpuSeconds(): number {
    return this.processes.reduce((sum, process) => sum + process.cpuSeconds(), 0);
  }

  residentKb(): number {
    return this.processes.reduce((sum, process) => sum + process.residentKb(), 0);
  }

  async beginHistory(): Promise<void> {}

  streamRequest(stream: StreamRequest): string {
    const folder = stream.replays === true ? 'replays' : 'streams';
    return httpRequest(`GET /${folder}/${pathOf(stream)}`, { Accept: 'text/event-stream' });
  }

  publishRequest(place: Place, events: readonly string[]): string {
    if (events.length !== 1) throw new Error('this server knows no batches');
    const headers = { 'Content-Type': 'application/json' };
    return httpRequest(`POST /events/${pathOf(place)}`, headers, events[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.processes) await process[Symbol.asyncDispose]();
  }
}

/** None of them filters: a topic is a channel of its own. */
function pathOf({ workspace, topic }: Place): string {
  return topic === undefined ? workspace : `${workspace}.${topic}`;
}
