import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpsSettings } from '../config.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { Metrics } from './metrics/metrics.js';
import { obstaclesOf, type Phase, type Vitals } from './vitals.js';

/** Probes and scrapers are few; who opens more than that is neither. */
const MAX_CONNECTIONS = 100;
/** A probe has no more to say than this. */
const MAX_HEAD_BYTES = 8_192;
/** How long the head of a request may take, and the whole of it; how often it is looked who takes longer. */
const HEAD_MS = 2_000;
const REQUEST_MS = 5_000;
const CHECK_MS = 500;
/** A scraper keeps its connection from one scrape to the next. */
const KEEP_ALIVE_MS = 75_000;
/** How long a connection may be silent where an answer is due, or waits for its reader. */
const SILENCE_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** The port for operators. It answers until the process ends, so that a drain can be watched. */
export class OpsServer {
  private phase: Phase = 'starting';
  private readonly server: Server;
  private readonly eventLoop = new EventLoopDelay();
  private readonly metrics: Metrics;

  private constructor(private readonly vitals: Vitals) {
    const { eventLoop } = this;
    this.metrics = new Metrics({ vitals, eventLoop, phase: () => this.phase });
    this.server = createServer(
      {
        maxHeaderSize: MAX_HEAD_BYTES,
        headersTimeout: HEAD_MS,
        requestTimeout: REQUEST_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (request, response) => void this.answer(request, response),
    );
    this.server.timeout = SILENCE_MS;
    this.server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.server.maxConnections = MAX_CONNECTIONS;
    // Who keeps a connection and asks nothing makes room for who would ask.
    this.server.on('drop', () => this.server.closeIdleConnections());
  }

  /** @throws Error if it cannot listen. */
  static async open(vitals: Vitals, { host, port }: OpsSettings): Promise<OpsServer> {
    const ops = new OpsServer(vitals);
    return new Promise((resolve, reject) => {
      ops.server.once('error', ({ code }: NodeJS.ErrnoException) => {
        ops.close();
        const reason =
          code === 'EADDRINUSE'
            ? 'is taken: set OPS_PORT to another one'
            : `(OPS_PORT) cannot be used (${code})`;
        reject(new Error(`port ${port} of ${host} ${reason}`));
      });
      ops.server.listen(port, host, () => resolve(ops));
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  enter(phase: Phase): void {
    this.phase = phase;
  }

  close(): void {
    this.eventLoop.close();
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.answerTo(request).catch(() =>
      json(500, { status: 'failed' }),
    );
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // What else comes with a request that is refused is not read.
      ...(status === 405 && { Allow: 'GET, HEAD', Connection: 'close' }),
    });
    // Of an answer to HEAD, Node leaves the body out.
    response.end(body);
  }

  private async answerTo({ method, url = '' }: IncomingMessage): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return json(405, { status: 'not allowed' });
    switch (url.split('?', 1)[0]) {
      case '/healthz':
        return json(200, { status: 'alive' });
      case '/readyz':
        return this.readiness();
      case '/metrics':
        return { status: 200, type: this.metrics.contentType, body: await this.metrics.text() };
      default:
        return json(404, { status: 'not found' });
    }
  }

  private readiness(): Answer {
    const missing = obstaclesOf(this.vitals, this.phase);
    return missing.length === 0
      ? json(200, { status: 'ready' })
      : json(503, { status: 'not ready', missing });
  }
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` };
}
