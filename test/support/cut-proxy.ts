import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Inbox } from './inbox.js';
import { Flow, type Shape, UNSHAPED } from './proxied-flow.js';

/** How a connection is cut: `rst` as a broken network or a crash does, `fin` as a polite end in the middle. */
export type Cut = 'rst' | 'fin';

/** Where a connection is cut: after so many bytes to the client. */
export interface CutAt {
  readonly bytes: number;
  readonly how: Cut;
}

/** One connection through the proxy. */
export interface ProxiedConnection {
  /** 1 for the first. */
  readonly number: number;
  /** Bytes that went to the client so far. */
  readonly bytesToClient: number;
  readonly isOpen: boolean;
  cut(how?: Cut): void;
}

export interface CutProxy extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Every connection that was ever made. */
  readonly connections: Inbox<ProxiedConnection>;
  /** Connections that the proxy has cut. */
  readonly cuts: Inbox<ProxiedConnection>;
  readonly openConnections: readonly ProxiedConnection[];
  cutAll(how?: Cut): void;
  /**
   * Where a new connection is cut, asked for once a connection; `null`: nowhere. A connection is cut wherever the count
   * falls, also in the middle of a frame or of a character.
   */
  cutAt: (connection: number) => CutAt | null;
  /** How the bytes of all connections pass, both ways, from now on: late, or few at a time. */
  shape(shape: Partial<Shape>): void;
  /** Bytes stop flowing both ways, and connections stay open, until `resume`. */
  stall(): void;
  /**
   * As if the other side had vanished: whatever is sent, either way, is swallowed, the end of a connection too. A connection
   * that was cut so never works again; new ones are of that kind until `resume`.
   */
  halfOpen(): void;
  /** Ends `stall` and `halfOpen`. */
  resume(): void;
  /** New connections are reset at once, until `accept`. */
  refuse(): void;
  accept(): void;
}

/** Stands on loopback between a client and `target`, a port of loopback, and breaks what a test wants broken. */
export async function startCutProxy(target: number): Promise<CutProxy> {
  const connections = new Inbox<ProxiedConnection>('a connection through the proxy');
  const cuts = new Inbox<ProxiedConnection>('a cut connection');
  const open = new Set<Connection>();
  let stalled = false;
  let refusing = false;
  let swallowing = false;
  let shape = UNSHAPED;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (refusing) {
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const number = connections.items.length + 1;
    const connection = new Connection(number, client, target, {
      cutAt: self.cutAt(number),
      shape: () => shape,
      onCut: (cut) => cuts.push(cut),
      onClose: (closed) => open.delete(closed),
    });
    open.add(connection);
    if (stalled) connection.stall();
    if (swallowing) connection.halfOpen();
    connections.push(connection);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const self: CutProxy = {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    cuts,
    get openConnections() {
      return [...open];
    },
    cutAt: () => null,
    cutAll(how = 'rst') {
      for (const connection of open) connection.cut(how);
    },
    shape(changed) {
      shape = { ...shape, ...changed };
    },
    stall() {
      stalled = true;
      for (const connection of open) connection.stall();
    },
    halfOpen() {
      swallowing = true;
      for (const connection of open) connection.halfOpen();
    },
    resume() {
      stalled = false;
      swallowing = false;
      for (const connection of open) connection.resume();
    },
    refuse() {
      refusing = true;
    },
    accept() {
      refusing = false;
    },
    async [Symbol.asyncDispose]() {
      refusing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of open) connection.destroy();
      await closed;
    },
  };
  return self;
}

interface ConnectionOptions {
  readonly shape: () => Shape;
  readonly cutAt: CutAt | null;
  readonly onCut: (connection: ProxiedConnection) => void;
  readonly onClose: (connection: Connection) => void;
}

const NEVER: CutAt = { bytes: Number.POSITIVE_INFINITY, how: 'rst' };

class Connection implements ProxiedConnection {
  readonly number: number;
  bytesToClient = 0;
  isOpen = true;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #toUpstream: Flow;
  readonly #toClient: Flow;
  readonly #options: ConnectionOptions;
  #isHalfOpen = false;

  constructor(number: number, client: Socket, target: number, options: ConnectionOptions) {
    this.number = number;
    this.#client = client.setNoDelay();
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }).setNoDelay();
    this.#upstream = upstream;
    this.#options = options;
    this.#toUpstream = new Flow({
      from: client,
      shape: options.shape,
      pass: (bytes) => upstream.write(bytes),
      onEnd: () => upstream.end(),
    });
    this.#toClient = new Flow({
      from: upstream,
      shape: options.shape,
      pass: (bytes) => this.#passToClient(bytes),
      onEnd: () => client.end(),
    });
    client.on('drain', () => this.#toClient.resume());
    upstream.on('drain', () => this.#toUpstream.resume());
    client
      .on('error', () => {})
      .on('close', () => {
        if (!this.#isHalfOpen) this.destroy();
      });
    // The service is down, or has cut the connection itself: the client sees just that.
    upstream.on('error', () => {
      if (!this.#isHalfOpen) client.resetAndDestroy();
    });
  }

  cut(how: Cut = 'rst'): void {
    if (!this.isOpen) return;
    this.#options.onCut(this);
    if (how === 'rst') this.#client.resetAndDestroy();
    else this.#client.end();
    this.#close();
  }

  stall(): void {
    this.#toUpstream.stall();
    this.#toClient.stall();
  }

  halfOpen(): void {
    this.#isHalfOpen = true;
    this.#toUpstream.die();
    this.#toClient.die();
  }

  resume(): void {
    this.#toUpstream.unstall();
    this.#toClient.unstall();
  }

  destroy(): void {
    this.#client.destroy();
    this.#close();
  }

  #passToClient(bytes: Buffer): boolean {
    if (!this.isOpen) return true;
    const { bytes: limit, how } = this.#options.cutAt ?? NEVER;
    const passed = bytes.subarray(0, limit - this.bytesToClient);
    this.bytesToClient += passed.length;
    const isLast = this.bytesToClient >= limit;
    // What was let through arrives first; only then is the line cut.
    const mayGoOn = this.#client.write(passed, () => {
      if (isLast) this.cut(how);
    });
    return mayGoOn && !isLast;
  }

  #close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#toUpstream.stop();
    this.#toClient.stop();
    this.#upstream.destroy();
    this.#options.onClose(this);
  }
}
