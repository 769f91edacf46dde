import { eventsPath } from '@sluice/protocol';
import { type CutProxy, startCutProxy } from './cut-proxy.js';
import { type JwksServer, startJwksServer } from './jwks-server.js';
import { Service, type ServiceOptions } from './service.js';
import { createTestIssuer, type TestIssuer } from './tokens.js';

export const WORKSPACE = 'acme';

/** What a publish was answered with. */
export interface Published {
  readonly id: string;
  readonly cursor: string;
}

/** The service as a process, an issuer whose tokens it takes, and a breakable line to it. Use it with `await using`. */
export interface Playground extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly jwks: JwksServer;
  readonly service: Service;
  readonly proxy: CutProxy;
  /** A token of the workspace that may subscribe and publish. */
  readonly token: string;
  /** Publishes into the workspace, straight and not through the proxy. */
  publish(events: readonly object[]): Promise<readonly Published[]>;
}

export async function startPlayground(options: ServiceOptions = {}): Promise<Playground> {
  const open: AsyncDisposable[] = [];
  const dispose = async () => {
    for (const part of open.reverse()) await part[Symbol.asyncDispose]();
  };
  try {
    const issuer = await createTestIssuer();
    const jwks = await startJwksServer(issuer.jwks);
    open.push(jwks);
    const env = { ...issuer.settings(jwks.url), RETRY_MS: '100', ...options.env };
    const service = await Service.start({ ...options, env });
    open.push(service);
    const proxy = await startCutProxy(service.port);
    open.push(proxy);
    const token = issuer.mint();
    return {
      issuer,
      jwks,
      service,
      proxy,
      token,
      publish: async (events) => {
        try {
          return await publish(service.url, token, events);
        } catch (cause) {
          throw new Error(`could not publish: ${service.describe()}`, { cause });
        }
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Publishes a batch; fails unless the whole batch was acknowledged. */
export async function publish(
  url: string,
  token: string,
  events: readonly object[],
  workspace = WORKSPACE,
): Promise<readonly Published[]> {
  const response = await fetch(url + eventsPath(workspace), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(events),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`publish was answered ${response.status}: ${text}`);
  const answer = JSON.parse(text) as { events: Published[] };
  if (answer.events.length !== events.length) throw new Error(`not all acknowledged: ${text}`);
  return answer.events;
}

/** Events that carry their number: `{ n }`. */
export function numbered(from: number, to: number, topic = 'orders'): object[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    topic,
    type: 'order.created',
    data: { n: from + index },
  }));
}

/** The number that an event of `numbered` carries. */
export function numberOf(event: { readonly data?: unknown }): number {
  const { data } = event;
  if (typeof data === 'object' && data !== null && 'n' in data && typeof data.n === 'number') {
    return data.n;
  }
  throw new Error(`an event without its number: ${JSON.stringify(event)}`);
}

/** Where numbers are not `first, first + 1, …` without hole or double; `null` if nowhere. */
export function firstBreak(numbers: readonly number[], first: number): string | null {
  const at = numbers.findIndex((number, index) => number !== first + index);
  return at < 0
    ? null
    : `${numbers[at]} stands where ${first + at} belongs (after ${numbers[at - 1]})`;
}
