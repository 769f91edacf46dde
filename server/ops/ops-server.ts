import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpsSettings } from '../config.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { Metrics } from './metrics.js';
import { obstaclesOf, type Phase, type Vitals } from './vitals.js';

/** Probes and scrapers are few; who opens more than that is neither. */
const MAX_CONNECTIONS = 100;

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
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws Error if it cannot listen. */
  static async open(vitals: Vitals, { host, port }: OpsSettings): Promise<OpsServer> {
    const ops = new OpsServer(vitals);
    return new Promise((resolve, reject) => {
      ops.server.once('error', ({ code }: NodeJS.ErrnoException) => {
        ops.close();
        reject(new Error(`port ${port} of ${host} (OPS_PORT) cannot be used (${code})`));
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
      ...(status === 405 && { Allow: 'GET, HEAD' }),
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
