import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { CONTENT_TYPES, problemOf } from '@sluice/protocol';

/** Workspaces in whose place the upstream plays a fault; whatever else is asked for goes to the service. */
export const FAULTY_WORKSPACES = {
  /** It takes the request, and says nothing. */
  slow: 'fault-slow',
  /** It hangs up on it. */
  reset: 'fault-reset',
  /** It resets the connection in the middle of a stream. */
  torn: 'fault-torn',
  /** What it answers is no HTTP. */
  malformed: 'fault-malformed',
  /** It answers 503 as the service does. */
  unavailable: 'fault-unavailable',
} as const;

type Fault = keyof typeof FAULTY_WORKSPACES;

const UNAVAILABLE = JSON.stringify(
  problemOf('UNAVAILABLE', { requestId: 'r503', retryAfterMs: 7_000 }),
);

const FAULTS: Readonly<Record<Fault, (proxy: Socket) => void>> = {
  slow: () => {},
  reset: (proxy) => proxy.resetAndDestroy(),
  torn: (proxy) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
    proxy.write(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n: x\n\n\r\n40\r\ndata: `, () =>
      proxy.resetAndDestroy(),
    );
  },
  malformed: (proxy) => proxy.end('SPQR/9 what is this\r\n\x00\x01\r\n\r\n'),
  unavailable: (proxy) => {
    const head = `HTTP/1.1 503 Service Unavailable\r\nContent-Type: ${CONTENT_TYPES.problem}\r\n`;
    const length = `Content-Length: ${Buffer.byteLength(UNAVAILABLE)}\r\n`;
    proxy.end(`${head}${length}Retry-After: 7\r\nConnection: close\r\n\r\n${UNAVAILABLE}`);
  },
};

/** What a proxy under test has behind it: the service, and at some workspaces a service at fault. Use it with `await using`. */
export class FaultyUpstream implements AsyncDisposable {
  /** Heads of the requests that met a fault, as the proxy wrote them. */
  readonly heads: string[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;

  private constructor(private readonly servicePort: number) {}

  static async start(servicePort: number): Promise<FaultyUpstream> {
    const upstream = new FaultyUpstream(servicePort);
    await upstream.listen();
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  /** Refuses connections from now on, and ends those that are open. */
  async goDown(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = new Promise((resolve) =>
      server === null ? resolve(null) : server.close(resolve),
    );
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goDown();
  }

  private async listen(): Promise<void> {
    const server = createServer((proxy) => this.accept(proxy));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  private accept(proxy: Socket): void {
    let service: Socket | null = null;
    let isAtFault = false;
    this.keep(proxy);
    proxy.once('close', () => service?.destroy());
    proxy.on('data', (bytes) => {
      const fault = faultOf(bytes);
      if (fault !== null) {
        isAtFault = true;
        this.heads.push(bytes.toString('latin1').split('\r\n\r\n')[0] ?? '');
        service?.destroy();
        FAULTS[fault](proxy);
      }
      if (isAtFault) return;
      service ??= this.connectToService(proxy);
      service.write(bytes);
    });
  }

  private connectToService(proxy: Socket): Socket {
    const service = connect(this.servicePort, '127.0.0.1').setNoDelay();
    this.keep(service);
    service.pipe(proxy, { end: false });
    service.once('end', () => proxy.end());
    return service;
  }

  private keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay().on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** The fault that a request asks for, by its workspace; proxies send a head in one piece. */
function faultOf(bytes: Buffer): Fault | null {
  const faults = Object.entries(FAULTY_WORKSPACES) as [Fault, string][];
  const line = bytes.toString('latin1', 0, 200);
  return faults.find(([, name]) => line.includes(`/workspace/${name}`))?.[0] ?? null;
}
