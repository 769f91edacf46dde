import { type CutProxy, startCutProxy } from '../support/cut-proxy.js';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { type LoadBalancer, startLoadBalancer } from '../support/load-balancer.js';
import { RedisSentinels } from '../support/redis-sentinels.js';
import type { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { createTestIssuer, type TestIssuer } from '../support/tokens.js';

/** Small, so that a node that stands still is noticed within seconds. */
export const HEARTBEAT_MS = 500;

const NODES = 3;
const SETTINGS = {
  HEARTBEAT_MS: String(HEARTBEAT_MS),
  RETRY_MS: '200',
  DRAIN_MS: '2000',
  AUDIT_LOG: 'off',
  LOG_LEVEL: 'error',
  // Nothing is trimmed: a gap would be an excuse.
  RETENTION_EVENTS: '10000000',
};

/** A link between servers that is dead without a word is given up soon, so that all is well again after a fault. */
const REDIS_ARGS = ['--repl-timeout', '5'];

/**
 * Sentinels by themselves take up to half a minute to make a former primary a replica that was cut off. Publishing waits for
 * that here, since all replicas are to have what is acknowledged; so it is a matter of seconds, and there is time for more faults.
 */
const HASTE = [
  ...['INFO-PERIOD', '1000', 'PUBLISH-PERIOD', '500'],
  ...['MIN-LINK-RECONNECT-PERIOD', '1000'],
];

/** A node, and the line between the balancer and it. */
export interface SoakNode {
  readonly name: string;
  readonly service: Service;
  readonly line: CutProxy;
  /** Whether the balancer's probe finds it well. */
  isInTurn: boolean;
}

/** The Redis servers that the nodes share, and the line to each. */
export interface SoakRedis {
  readonly sentinels: RedisSentinels;
  lineTo(server: RedisServer): CutProxy;
}

/** All the parts that the soak breaks. */
export interface World extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly nodes: readonly SoakNode[];
  readonly balancer: LoadBalancer;
  /** `null` where one node keeps the log itself. */
  readonly redis: SoakRedis | null;
}

/** @param signal ends the start; what has been started is ended then, too. */
export async function startWorld(isEmbedded: boolean, signal: AbortSignal): Promise<World> {
  const stack: AsyncDisposable[] = [];
  const keep = <Part extends AsyncDisposable>(part: Part): Part => {
    stack.push(part);
    signal.throwIfAborted();
    return part;
  };
  const dispose = async () => {
    const ends = stack.splice(0).map((part) => part[Symbol.asyncDispose]());
    // One that cannot be ended keeps no other one.
    await Promise.allSettled(ends);
  };
  try {
    const issuer = await createTestIssuer();
    const jwks: JwksServer = keep(await startJwksServer(issuer.jwks));
    const redis = isEmbedded ? null : await startRedis(keep);
    const env = {
      ...issuer.settings(jwks.url),
      ...SETTINGS,
      ...(redis !== null && redisSettings(redis.sentinels)),
    };
    const nodes: SoakNode[] = [];
    for (let n = 1; n <= (isEmbedded ? 1 : NODES); n++) {
      const service = keep(await Service.start({ env }));
      const line = keep(await startCutProxy(service.port));
      nodes.push({ name: `node ${n}`, service, line, isInTurn: true });
    }
    const targets = () => nodes.filter((node) => node.isInTurn).map(({ line }) => line.port);
    const balancer = keep(await startLoadBalancer(targets));
    return { issuer, nodes, balancer, redis, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function redisSettings({ url }: RedisSentinels): Record<string, string> {
  return { REDIS_URL: url, REDIS_MIN_REPLICAS: '2', REDIS_DURABLE: 'true' };
}

async function startRedis(
  keep: <Part extends AsyncDisposable>(part: Part) => Part,
): Promise<SoakRedis> {
  const lines = new Map<number, CutProxy>();
  const sentinels = keep(
    await RedisSentinels.start({
      args: REDIS_ARGS,
      // A server is known to everybody, the others too, by the line to it.
      announce: async (port) => {
        const line = keep(await startCutProxy(port));
        lines.set(port, line);
        return line.port;
      },
    }),
  );
  for (const sentinel of sentinels.sentinels) await sentinel.ask('SENTINEL', 'DEBUG', ...HASTE);
  const lineTo = ({ port }: RedisServer): CutProxy => {
    const line = lines.get(port);
    if (line === undefined) throw new Error('a server without its line');
    return line;
  };
  return { sentinels, lineTo };
}
