import { eventsPath } from '@sluice/protocol';
import { type CutProxy, startCutProxy } from './cut-proxy.js';
import { type JwksServer, startJwksServer } from './jwks-server.js';
import { WORKSPACE } from './playground.js';
import { RawStream } from './raw-http.js';
import { RedisServer } from './redis-server.js';
import { Service } from './service.js';
import { createTestIssuer, type TestIssuer } from './tokens.js';

/** How long a command may take where a test waits for that. */
export const REDIS_DEADLINE_MS = 1_000;

export interface NodesOptions {
  /** How many; 2 by default. */
  readonly count?: number;
  /** Further arguments for Redis. */
  readonly redisArgs?: readonly string[];
  /** Settings beside those that a node on this Redis needs. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A node, and the line between it and Redis. */
export interface Node {
  readonly service: Service;
  readonly line: CutProxy;
}

/** Nodes on one Redis, each as a process, and an issuer whose tokens they take. Use it with `await using`. */
export interface Nodes extends AsyncDisposable {
  readonly redis: RedisServer;
  readonly issuer: TestIssuer;
  readonly jwks: JwksServer;
  readonly nodes: readonly Node[];
  readonly first: Node;
  readonly second: Node;
}

export async function startNodes(options: NodesOptions = {}): Promise<Nodes> {
  const { count = 2, redisArgs = [], env = {} } = options;
  const stack: AsyncDisposable[] = [];
  const keep = <Part extends AsyncDisposable>(part: Part): Part => {
    stack.push(part);
    return part;
  };
  const dispose = async () => {
    for (const part of stack.splice(0).reverse()) await part[Symbol.asyncDispose]();
  };
  try {
    const redis = keep(await RedisServer.start({ args: redisArgs }));
    const issuer = await createTestIssuer();
    const jwks = keep(await startJwksServer(issuer.jwks));
    const nodes = await Promise.all(
      Array.from({ length: count }, async (): Promise<Node> => {
        const line = keep(await startCutProxy(redis.port));
        const settings = {
          ...issuer.settings(jwks.url),
          REDIS_URL: `redis://127.0.0.1:${line.port}`,
          REDIS_DEADLINE_MS: String(REDIS_DEADLINE_MS),
          REDIS_DURABLE: 'true',
          RETRY_MS: '100',
          AUDIT_LOG: 'off',
          ...env,
        };
        return { service: keep(await Service.start({ env: settings })), line };
      }),
    );
    const [first, second = first] = nodes as [Node, ...Node[]];
    return { redis, issuer, jwks, nodes, first, second, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** What became of a request to publish. */
export interface PublishAnswer {
  /** 0 where the connection broke before the answer. */
  readonly status: number;
  readonly code: string | null;
  /** Of the events, where they were published. */
  readonly cursors: readonly string[];
  readonly tookMs: number;
}

export interface PublishOptions {
  readonly workspace?: string;
  readonly idempotencyKey?: string;
  /** After it, it is given up. */
  readonly deadlineMs?: number;
}

/** Asks a node to publish, whatever comes of it. */
export async function tryToPublish(
  url: string,
  token: string,
  events: readonly object[],
  options: PublishOptions = {},
): Promise<PublishAnswer> {
  const { workspace = WORKSPACE, idempotencyKey, deadlineMs = 15_000 } = options;
  const startedAt = performance.now();
  const took = () => performance.now() - startedAt;
  try {
    const response = await fetch(url + eventsPath(workspace), {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        ...(idempotencyKey !== undefined && { 'Idempotency-Key': idempotencyKey }),
      },
      body: JSON.stringify(events),
      signal: AbortSignal.timeout(deadlineMs),
    });
    const body = (await response.json()) as { code?: string; events?: { cursor: string }[] };
    const cursors = (body.events ?? []).map(({ cursor }) => cursor);
    return { status: response.status, code: body.code ?? null, cursors, tookMs: took() };
  } catch {
    return { status: 0, code: null, cursors: [], tookMs: took() };
  }
}

/** Publishes as a patient publisher does: the same request, until it is answered 2xx. */
export async function publishUntilTaken(
  url: () => string,
  token: string,
  events: readonly object[],
  options: PublishOptions = {},
): Promise<PublishAnswer> {
  const idempotencyKey = options.idempotencyKey ?? crypto.randomUUID();
  for (let attempt = 0; attempt < 400; attempt++) {
    const answer = await tryToPublish(url(), token, events, { ...options, idempotencyKey });
    if (answer.status === 201) return answer;
    if (answer.status !== 0 && answer.status !== 503) {
      throw new Error(`publishing was answered ${answer.status} ${answer.code}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('nobody took the events');
}

export interface OpenOptions {
  readonly workspace?: string;
  readonly query?: string;
  readonly lastEventId?: string;
}

/** Asks a node for a stream; its head is read. */
export function openStream(
  { port }: { readonly port: number },
  token: string,
  { workspace = WORKSPACE, query = '', lastEventId }: OpenOptions = {},
): Promise<RawStream> {
  return RawStream.open({
    port,
    path: eventsPath(workspace) + query,
    headers: [
      ['Authorization', `Bearer ${token}`],
      ...(lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId] as const]),
    ],
  });
}
