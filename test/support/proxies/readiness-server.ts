import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunningProxy } from './proxy.js';

/** Stands in for the port for operators of a node, at which a proxy asks whether the node takes streams. */
export interface ReadinessServer extends AsyncDisposable {
  readonly port: number;
  /** What it is asked, as method and path; each once. */
  readonly asked: ReadonlySet<string>;
  /** Whether it answers 200, or 503 as a node does that drains. */
  isReady: boolean;
}

/** A proxy that asks its nodes whether they take streams. */
export interface CheckingProxy extends RunningProxy {
  readonly readiness: ReadinessServer;
}

export async function startReadinessServer(): Promise<ReadinessServer> {
  const asked = new Set<string>();
  const server = createServer((request, response) => {
    asked.add(`${request.method} ${request.url}`);
    const isAsked = request.url === '/readyz';
    response.writeHead(isAsked ? (readiness.isReady ? 200 : 503) : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const readiness: ReadinessServer = {
    port: (server.address() as AddressInfo).port,
    asked,
    isReady: true,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return readiness;
}
