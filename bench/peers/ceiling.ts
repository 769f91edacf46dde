import { freePort } from '../free-port.js';
import { PinnedProcess } from '../pinned-process.js';
import type { Peer, RunningPeer } from './peer.js';
import { ProcessPeer } from './process-peer.js';

/** `joined`: one write for all that waits for a socket; `single`: one write for each event. */
export type CeilingMode = 'joined' | 'single';

/** What the machine can do: see native/ceiling.c. */
export class CeilingPeer implements Peer {
  readonly name: string;

  constructor(
    private readonly program: string,
    private readonly core: number,
    private readonly mode: CeilingMode,
    /** Sockets that are written to before more is read; 0: all. */
    private readonly slice = 0,
  ) {
    const sliced = slice > 0 ? ' in slices' : '';
    this.name = mode === 'joined' ? `ceiling, joined writes${sliced}` : 'ceiling, single writes';
  }

  async start(): Promise<RunningPeer> {
    const port = await freePort();
    const args = [String(port), this.mode, String(this.slice)];
    const ceiling = new PinnedProcess(this.program, args, { core: this.core });
    await ceiling.said(/(listening)/);
    return new CeilingRunning([ceiling], port);
  }
}

/** A channel is its path, for streams and events alike. */
class CeilingRunning extends ProcessPeer {
  override streamRequest(...[stream]: Parameters<ProcessPeer['streamRequest']>): string {
    return super.streamRequest(stream).replace('/streams/', '/channels/');
  }

  override publishRequest(...[place, events]: Parameters<ProcessPeer['publishRequest']>): string {
    return super.publishRequest(place, events).replace('/events/', '/channels/');
  }
}
