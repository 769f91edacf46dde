import type { NativePrograms } from './native.js';
import { CeilingPeer } from './peers/ceiling.js';
import { NchanPeer } from './peers/nchan.js';
import { NodePeer } from './peers/node-peer.js';
import { SluicePeer } from './peers/sluice.js';
import type { TokenIssuer } from './tokens.js';

/** The server under test has this core for itself, */
export const SERVER_CORE = 0;
/** and the load this one. */
export const LOAD_CORE = 1;

export interface BenchOptions {
  readonly programs: NativePrograms;
  readonly issuer: TokenIssuer;
  /** For what is written meanwhile. */
  readonly folder: string;
  /** `null`: it cannot be had here. */
  readonly node24: string | null;
  readonly isQuick: boolean;
}

/** What all figures are made of. */
export class Bench {
  constructor(readonly options: BenchOptions) {}

  /** For how long something is measured. */
  get seconds(): number {
    return this.options.isQuick ? 0.5 : 2;
  }

  /** So many, or a tenth of them where it shall be quick. */
  scaled(count: number): number {
    return this.options.isQuick ? Math.ceil(count / 10) : count;
  }

  sluice(settings: Readonly<Record<string, string>> = {}): SluicePeer {
    const { issuer, folder } = this.options;
    return new SluicePeer({ issuer, folder, core: SERVER_CORE, settings });
  }

  /** The same on Node 24, where that can be had. */
  sluiceOnNode24(settings: Readonly<Record<string, string>> = {}): SluicePeer[] {
    const { issuer, folder, node24 } = this.options;
    if (node24 === null) return [];
    const name = 'Sluice, Node 24';
    return [new SluicePeer({ issuer, folder, core: SERVER_CORE, settings, node: node24, name })];
  }

  nchan(history?: number): NchanPeer {
    const { folder } = this.options;
    return new NchanPeer({ core: SERVER_CORE, folder, ...(history !== undefined && { history }) });
  }

  /** Nchan asking a verifier of tokens that runs on the newest Node there is. */
  guardedNchan(remembers: boolean): NchanPeer {
    const { issuer, folder, node24 } = this.options;
    const verifier = { issuer, remembers, node: node24 ?? process.execPath };
    return new NchanPeer({ core: SERVER_CORE, folder, verifier });
  }

  betterSse(): NodePeer {
    return new NodePeer('better-sse', 'better-sse', SERVER_CORE);
  }

  expressLoop(): NodePeer {
    return new NodePeer('Express, a loop of writes', 'express-loop', SERVER_CORE);
  }

  /** One write for all that waits for a socket: over all sockets at once, and in slices as Sluice does it. */
  joinedCeilings(): CeilingPeer[] {
    return [0, 500].map(
      (slice) => new CeilingPeer(this.options.programs.ceiling, SERVER_CORE, 'joined', slice),
    );
  }

  singleCeiling(): CeilingPeer {
    return new CeilingPeer(this.options.programs.ceiling, SERVER_CORE, 'single');
  }
}
