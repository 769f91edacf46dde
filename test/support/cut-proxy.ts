import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Inbox } from './inbox.js';

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
  /** Bytes stop flowing both ways, and connections stay open, until `resume`. */
  stall(): void;
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

  const server = createServer({ allowHalfOpen: false }, (client) => {
    if (refusing) {
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const number = connections.items.length + 1;
    const connection = new Connection(number, client, target, {
      cutAt: self.cutAt(number),
      onCut: (cut) => cuts.push(cut),
      onClose: (closed) => open.delete(closed),
    });
    open.add(connection);
    if (stalled) connection.stall();
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
    stall() {
      stalled = true;
      for (const connection of open) connection.stall();
    },
    resume() {
      stalled = false;
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
  readonly #options: ConnectionOptions;

  constructor(number: number, client: Socket, target: number, options: ConnectionOptions) {
    this.number = number;
    this.#client = client.setNoDelay();
    this.#upstream = connect(target, '127.0.0.1').setNoDelay();
    this.#options = options;
    client.on('error', () => {}).on('close', () => this.destroy());
    // The service is down, or has cut the connection itself: the client sees just that.
    this.#upstream.on('error', () => client.resetAndDestroy());
    this.#upstream.on('end', () => client.end()).on('close', () => client.destroySoon());
    client.pipe(this.#upstream);
    this.#upstream.on('data', (bytes) => this.#toClient(bytes));
    client.on('drain', () => this.#upstream.resume());
  }

  cut(how: Cut = 'rst'): void {
    if (!this.isOpen) return;
    this.#options.onCut(this);
    if (how === 'rst') this.#client.resetAndDestroy();
    else this.#client.end();
    this.#close();
  }

  stall(): void {
    this.#client.pause();
    this.#upstream.pause();
  }

  resume(): void {
    this.#client.resume();
    this.#upstream.resume();
  }

  destroy(): void {
    this.#client.destroy();
    this.#close();
  }

  #toClient(bytes: Buffer): void {
    if (!this.isOpen) return;
    const { bytes: limit, how } = this.#options.cutAt ?? NEVER;
    const passed = bytes.subarray(0, limit - this.bytesToClient);
    this.bytesToClient += passed.length;
    const isLast = this.bytesToClient >= limit;
    // What was let through arrives first; only then is the line cut.
    const mayGoOn = this.#client.write(passed, () => {
      if (isLast) this.cut(how);
    });
    if (isLast || !mayGoOn) this.#upstream.pause();
  }

  #close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#upstream.destroy();
    this.#options.onClose(this);
  }
}
