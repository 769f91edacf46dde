import { type Certificates, makeCertificates } from '../certificates.js';
import { type Playground, startPlayground } from '../playground.js';
import { type RawRequest, RawStream, rawRequest } from '../raw-http.js';
import { FaultyUpstream } from './faulty-upstream.js';
import { MARKED_CLAIM } from './marks.js';
import type { ProxyOptions, RunningProxy } from './proxy.js';

/** So many streams one client address may have open in these tests. */
export const STREAMS_PER_ADDRESS = 40;

/** A proxy under test with the service behind it. Use it with `await using`. */
export interface ProxiedService extends AsyncDisposable {
  readonly proxy: RunningProxy;
  readonly playground: Playground;
  readonly upstream: FaultyUpstream;
  readonly ca: string;
  /** A token that holds, with a mark inside. */
  readonly token: string;
  /** What must not be found of it: its signature. */
  readonly signature: string;
  /** A request over TLS to the proxy. */
  through(path: string, details?: Partial<RawRequest>): RawRequest;
  stream(path: string, details?: Partial<RawRequest>): Promise<RawStream>;
  ask(path: string, details?: Partial<RawRequest>): ReturnType<typeof rawRequest>;
}

export async function startProxiedService(
  startProxy: (options: ProxyOptions) => Promise<RunningProxy>,
): Promise<ProxiedService> {
  const open: AsyncDisposable[] = [];
  const dispose = async () => {
    for (const part of open.reverse()) await part[Symbol.asyncDispose]();
  };
  try {
    const certificates: Certificates = await makeCertificates();
    open.push(certificates);
    const playground = await startPlayground({ env: SETTINGS });
    open.push(playground);
    const upstream = await FaultyUpstream.start(playground.service.port);
    open.push(upstream);
    const { certFile, keyFile, ca } = certificates;
    const proxy = await startProxy({ upstreamPort: upstream.port, certFile, keyFile });
    open.push(proxy);
    const token = playground.issuer.mint(MARKED_CLAIM);
    const through = (path: string, details: Partial<RawRequest> = {}): RawRequest => ({
      port: proxy.tlsPort,
      ca,
      path,
      ...details,
    });
    return {
      proxy,
      playground,
      upstream,
      ca,
      token,
      signature: token.split('.')[2] ?? '',
      through,
      stream: (path, details) => RawStream.open(through(path, details)),
      ask: (path, details) => rawRequest(through(path, details)),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const SETTINGS = {
  TRUST_PROXY: '1',
  OPS_PORT: '0',
  // Far below the three seconds after which a proxy under test gives up reading.
  HEARTBEAT_MS: '250',
  MAX_STREAMS_PER_ADDRESS: String(STREAMS_PER_ADDRESS),
  MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
};
