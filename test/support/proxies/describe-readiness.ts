import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { EVENT_STREAM_TYPE } from '@sluice/protocol';
import { makeCertificates } from '../certificates.js';
import { type RawRequest, RawStream, rawRequest } from '../raw-http.js';
import { describeWith, type ToolName } from '../tools.js';
import { until } from '../until.js';
import { findLeaks, markedJwt } from './marks.js';
import type { ProxyOptions } from './proxy.js';
import type { CheckingProxy } from './readiness-server.js';

const HEARTBEAT_MS = 50;
const DEADLINE_MS = 30_000;

type StartWith<Changes> = (
  program: string,
  options: ProxyOptions,
  changes: Changes,
) => Promise<CheckingProxy>;

/** What a test changes in the shipped configuration. */
export interface Variants<Changes> {
  /** A usual way to log, which must be found out. */
  readonly naive: Changes;
  /** With it the second request is over the proxy's own limit; left out where it has none. */
  readonly limit?: Changes;
}

/** What a proxy that asks its nodes for their readiness makes of the answer, and that the search for tokens finds some. */
export function describeReadiness<Changes>(
  program: ToolName,
  startWith: StartWith<Changes>,
  { naive, limit }: Variants<Changes>,
): void {
  const token = markedJwt();
  describeWith(program, `${program} with changes`, (path) => {
    it('sends nothing new to a node that is not ready, and leaves its streams alone', async () => {
      await using started = await startBefore((options) =>
        startWith(path, options, emptyOf(naive)),
      );
      const { proxy, ask, stream } = started;
      const get = async () => (await ask('/')).status;
      await until('the node is asked', () => proxy.readiness.asked.size > 0, DEADLINE_MS);
      expect([...proxy.readiness.asked]).toEqual(['GET /readyz']);
      await until('the node is used', async () => (await get()) === 200, DEADLINE_MS);
      using open = await stream('/stream');
      await open.nextComment();
      proxy.readiness.isReady = false;
      await until('the node is left out', async () => (await get()) === 503, DEADLINE_MS);
      for (let beats = 0; beats < 5; beats++) await open.nextComment();
      proxy.readiness.isReady = true;
      await until('the node is used again', async () => (await get()) === 200, DEADLINE_MS);
    }, 60_000);

    it('would not hide a token, logged the usual way', async () => {
      await using started = await startBefore((options) => startWith(path, options, naive));
      const { proxy, ask } = started;
      await until('the node is used', async () => (await ask('/')).status === 200, DEADLINE_MS);
      await ask(`/hangs-up?access%5Ftoken=${token}`);
      await until('a leak is found', async () => findLeaks(await proxy.outputs()).length > 0);
    }, 60_000);

    if (limit === undefined) return;
    it('refuses what is over its own limit, and writes no token of it', async () => {
      await using started = await startBefore((options) => startWith(path, options, limit));
      const { status, headers } = await started.ask(`/?access_token=${token}`);
      expect(status).toBe(429);
      expect(headers.get('retry-after')?.[0]).toMatch(/^\d+$/);
      const outputs = async () => [...(await started.proxy.outputs())];
      await until('it is logged', async () => /"status":429/.test(String(await outputs())));
      expect(findLeaks(new Map(await outputs()))).toEqual([]);
    }, 60_000);
  });
}

/** No changes, in the form in which this proxy takes them. */
function emptyOf<Changes>(changes: Changes): Changes {
  return (Array.isArray(changes) ? [] : {}) as Changes;
}

/** A proxy before a server that answers whatever it is asked. */
async function startBefore(start: (options: ProxyOptions) => Promise<CheckingProxy>) {
  const certificates = await makeCertificates();
  const upstream = await startUpstream();
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const { certFile, keyFile, ca } = certificates;
  const end = async () => {
    upstream.close().closeAllConnections();
    await certificates[Symbol.asyncDispose]();
  };
  const proxy = await start({ upstreamPort, certFile, keyFile }).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  const through = (path: string): RawRequest => ({ port: proxy.tlsPort, ca, path });
  return {
    proxy,
    ask: (path: string) => rawRequest(through(path)),
    stream: (path: string) => RawStream.open(through(path)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await end();
    },
  };
}

async function startUpstream(): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/hangs-up') === true) {
      request.socket.destroy();
      return;
    }
    if (request.url !== '/stream') {
      response.end();
      return;
    }
    response.writeHead(200, { 'Content-Type': EVENT_STREAM_TYPE });
    const timer = setInterval(() => response.write(': ping\n\n'), HEARTBEAT_MS);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
