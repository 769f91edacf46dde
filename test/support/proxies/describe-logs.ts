import { describe, expect, it } from '@jest/globals';
import { until } from '../until.js';
import type { AccessLine, ProxyTraits } from './describe-proxy.js';
import {
  type MarkedRequest,
  markedHttp2Requests,
  markedRequests,
  requestsWhileDown,
} from './marked-requests.js';
import { findLeaks } from './marks.js';
import type { ProxiedService } from './proxied-service.js';
import { type MarkedAnswer, openHttp2, sendMarked, sendMarkedHttp2 } from './send-marked.js';

/** At a time: a proxy under test is one process on a machine that has others. */
const AT_ONCE = 24;

/** What a proxy writes of requests with tokens in every place. The last tests of a proxy: nobody listens behind it in the end. */
export function describeLogs(proxied: () => ProxiedService, traits: ProxyTraits): void {
  describe('its logs, status pages and files', () => {
    it('hold no token, however it was sent, and name each request that is known', async () => {
      const { proxy, ca, token, signature, upstream } = proxied();
      const requests = markedRequests(token);
      const overHttp2 = markedHttp2Requests();
      const whileDown = requestsWhileDown();
      expect(requests.length + overHttp2.length + whileDown.length).toBeGreaterThanOrEqual(34);

      const [answers] = await Promise.all([
        sendAll(requests, proxied()),
        inTurns(overHttp2, (request) => sendMarkedHttp2(request, proxy, ca)),
      ]);
      await upstream.goDown();
      answers.push(...(await sendAll(whileDown, proxied())));
      // Last: whoever comes behind it may be over the limit still.
      if (traits.flood !== undefined) {
        expect(await flood(traits.flood, proxied())).toContain(429);
      }

      expect(unexpected([...requests, ...whileDown], answers)).toEqual([]);
      const wanted = [...requests, ...overHttp2, ...whileDown].flatMap(
        ({ loggedPath }) => loggedPath ?? [],
      );
      await until('the access log names each request that is known', async () => {
        const paths = new Set((await accessLines(proxied(), traits)).map(({ path }) => path));
        const missing = wanted.filter((path) => !paths.has(path));
        if (missing.length > 0) throw new Error(`not in the log: ${missing.join(', ')}`);
        return true;
      });
      const outputs = await proxy.outputs();
      expect(findLeaks(outputs, [token, signature])).toEqual([]);
      const lines = await accessLines(proxied(), traits);
      const statuses = new Set(lines.map(({ status }) => status));
      expect([200, 201, 401, 404].filter((status) => !statuses.has(status))).toEqual([]);
      if (traits.flood !== undefined) expect(statuses).toContain(429);
    }, 60_000);
  });
}

/** The lines of the access log so far. */
export async function accessLines(
  { proxy }: ProxiedService,
  { accessLog, readLine = readJsonLine }: ProxyTraits,
): Promise<AccessLine[]> {
  const bytes = (await proxy.outputs()).get(accessLog);
  if (bytes === undefined) throw new Error(`there is no ${accessLog}`);
  const lines = bytes.toString('latin1').split('\n').slice(0, -1);
  return lines.flatMap((line) => readLine(line) ?? []);
}

export function readJsonLine(line: string): AccessLine {
  const { method, path, status, requestId } = JSON.parse(line) as Record<string, unknown>;
  return {
    method: String(method),
    path: String(path),
    status: Number(status),
    requestId: String(requestId),
  };
}

function sendAll(requests: readonly MarkedRequest[], { proxy, ca }: ProxiedService) {
  return inTurns(requests, (request) => sendMarked(request, proxy, ca));
}

async function inTurns<Item, Result>(
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = [...items.entries()];
  const worker = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      results[next[0]] = await act(next[1]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Answers that are not among those which their request may get. */
function unexpected(
  requests: readonly MarkedRequest[],
  answers: readonly MarkedAnswer[],
): string[] {
  return requests.flatMap(({ what, statuses }, index) => {
    const status = answers[index]?.status ?? null;
    const isFine = statuses === undefined || (status !== null && statuses.includes(status));
    return isFine ? [] : [`${what}: ${status} instead of ${statuses.join(' or ')}`];
  });
}

/** So many marked requests at once; resolves to what they were answered with. */
async function flood(count: number, { proxy, ca }: ProxiedService): Promise<number[]> {
  const session = openHttp2(proxy, ca);
  const headers = markedHttp2Requests()[0]?.headers;
  const one = () =>
    new Promise<number>((resolve) => {
      const stream = session.request({ ...headers });
      let status = 0;
      stream.on('response', (answer) => {
        status = Number(answer[':status']);
      });
      stream.on('error', () => resolve(status)).on('close', () => resolve(status));
      stream.resume().end();
    });
  try {
    return await Promise.all(Array.from({ length: count }, one));
  } finally {
    session.destroy();
  }
}
