import { eventsPath } from '@sluice/protocol';
import { makeCertificates } from '../certificates.js';
import { freePorts } from '../free-port.js';
import { rawRequest } from '../raw-http.js';
import { FAULTY_WORKSPACES, FaultyUpstream } from './faulty-upstream.js';
import type { ProxyOptions, RunningProxy } from './proxy.js';

/**
 * How often a proxy sends a request to nodes that hang up on it, by its method.
 * @param start with a second node at the same port.
 */
export async function attemptsOf(
  start: (options: ProxyOptions) => Promise<RunningProxy>,
): Promise<Record<'GET' | 'POST', number>> {
  await using certificates = await makeCertificates();
  const { certFile, keyFile, ca } = certificates;
  const [servicePort = 0] = await freePorts(1);
  await using upstream = await FaultyUpstream.start(servicePort);
  await using proxy = await start({ upstreamPort: upstream.port, certFile, keyFile });
  const attempts = { GET: 0, POST: 0 };
  for (const method of ['GET', 'POST'] as const) {
    const seen = upstream.heads.length;
    const path = eventsPath(FAULTY_WORKSPACES.reset);
    const body = method === 'POST' ? { body: '{}' } : {};
    await rawRequest({ port: proxy.tlsPort, ca, method, path, ...body });
    attempts[method] = upstream.heads.length - seen;
  }
  return attempts;
}
