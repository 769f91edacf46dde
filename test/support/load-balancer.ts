import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LoadBalancer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** How many connections to this target are open. */
  connectionsTo(port: number): number;
}

/** A connection to a target of loopback is made at once or not at all; one that hangs is a target that is stopped. */
const CONNECT_DEADLINE_MS = 1_000;

/**
 * A TCP balancer on loopback, as plain as they come: each connection goes to the next target in turn, and one that
 * refuses is passed over. It knows nothing of HTTP, and has no stickiness. Where all refuse, the client is reset.
 *
 * @param targets ports of loopback, asked for with each connection.
 */
export async function startLoadBalancer(targets: () => readonly number[]): Promise<LoadBalancer> {
  const clients = new Set<Socket>();
  const upstreams = new Set<Socket>();
  const open = new Map<number, number>();
  let turn = 0;

  const server = createServer({ allowHalfOpen: false, pauseOnConnect: true }, (client) => {
    clients.add(client);
    client.setNoDelay().on('error', () => {});
    client.once('close', () => clients.delete(client));
    const ports = targets();
    const first = turn++;
    void connectToOne(
      ports.map((_, index) => ports[(first + index) % ports.length] as number),
    ).then((target) => {
      if (target === null || client.destroyed) {
        target?.upstream.destroy();
        client.resetAndDestroy();
        return;
      }
      join(client, target);
    });
  });

  const count = (port: number, change: number) => open.set(port, (open.get(port) ?? 0) + change);

  function join(client: Socket, { port, upstream }: Target): void {
    count(port, 1);
    upstreams.add(upstream);
    upstream.once('close', () => {
      count(port, -1);
      upstreams.delete(upstream);
    });
    // What one side does is done to the other: an end is an end, and a reset a reset.
    upstream.on('error', () => client.resetAndDestroy());
    client.on('error', () => upstream.resetAndDestroy());
    client.once('close', () => upstream.destroySoon());
    upstream.once('close', () => client.destroySoon());
    client.pipe(upstream);
    upstream.pipe(client);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connectionsTo: (target) => open.get(target) ?? 0,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of [...clients, ...upstreams]) socket.destroy();
      await closed;
    },
  };
}

interface Target {
  readonly port: number;
  readonly upstream: Socket;
}

/** The first of the targets that takes a connection; `null` where none does. */
async function connectToOne(ports: readonly number[]): Promise<Target | null> {
  for (const port of ports) {
    const upstream = await connectTo(port);
    if (upstream !== null) return { port, upstream };
  }
  return null;
}

function connectTo(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').setNoDelay();
    const settle = (connected: Socket | null) => {
      clearTimeout(timer);
      socket.removeAllListeners('error').on('error', () => {});
      if (connected === null) socket.destroy();
      resolve(connected);
    };
    const timer = setTimeout(() => settle(null), CONNECT_DEADLINE_MS);
    socket.once('error', () => settle(null)).once('connect', () => settle(socket));
  });
}
