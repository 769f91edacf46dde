import { makeCertificates } from '../certificates.js';
import { freePorts } from '../free-port.js';
import { requestsOfLogs, requestsWhileDown } from './marked-requests.js';
import { findLeaks } from './marks.js';
import type { ProxyOptions, RunningProxy } from './proxy.js';
import { sendMarked } from './send-marked.js';

/** The outputs in which a proxy with nobody behind it leaves tokens: what shows that the search would find them. */
export async function leaksOf(
  start: (options: ProxyOptions) => Promise<RunningProxy>,
): Promise<string[]> {
  await using certificates = await makeCertificates();
  const { certFile, keyFile, ca } = certificates;
  const [upstreamPort = 0] = await freePorts(1);
  await using proxy = await start({ upstreamPort, certFile, keyFile });
  const requests = [...requestsWhileDown(), ...requestsOfLogs()];
  await Promise.all(requests.map((request) => sendMarked(request, proxy, ca)));
  const leaks = findLeaks(await proxy.outputs());
  return [...new Set(leaks.map(({ where }) => where))].sort();
}
