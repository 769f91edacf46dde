import type { RedisOptions } from 'ioredis';
import type { HostAndPort, RedisSettings } from '../config.js';
import { PlaceConnector, PrimaryConnector } from './connectors.js';

/** Replies keep the shapes of RESP2. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** Before a lost connection is tried again: soon, and not all nodes at once. */
const RETRY_MS = { least: 50, most: 1_000 };
/** How long a connection that is given up may take for its good-bye. */
const GOODBYE_MS = 50;
/** A Sentinel that is stuck is passed over for the next one. */
const SENTINEL_ANSWER_MS = 1_000;
const SENTINEL_RECONNECT_MS = 5_000;

/**
 * How ioredis is to keep one connection: it queues nothing, sends nothing twice, subscribes to nothing by itself.
 * @param at a server of a cluster; otherwise the settings say where.
 * @param silenceMs how long an answer may take before the connection is given up.
 */
export function connectionOptions(
  settings: RedisSettings,
  at: HostAndPort | null,
  silenceMs: number,
): ConnectionOptions {
  const { address, deadlineMs } = settings;
  const { username, password, usesTls } = address;
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: deadlineMs,
    socketTimeout: silenceMs,
    disconnectTimeout: GOODBYE_MS,
    keepAlive: 10_000,
    connectionName: 'sluice',
    disableClientInfo: true,
    retryStrategy: pauseAfter,
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    ...(usesTls && { tls: tlsOf(settings) }),
    ...placeOf(settings, at),
  };
}

function placeOf(settings: RedisSettings, at: HostAndPort | null): ConnectionOptions {
  const { address, deadlineMs } = settings;
  if (at !== null) return { ...at, Connector: PlaceConnector };
  switch (address.kind) {
    case 'standalone':
      return { ...address.at, db: address.db, Connector: PlaceConnector };
    case 'cluster':
      return { ...address.nodes[0], Connector: PlaceConnector };
    case 'sentinel': {
      const { sentinelUsername, sentinelPassword } = address;
      return {
        sentinels: address.sentinels.map((sentinel) => ({ ...sentinel })),
        name: address.name,
        db: address.db,
        ...(sentinelUsername !== null && { sentinelUsername }),
        ...(sentinelPassword !== null && { sentinelPassword }),
        ...(address.usesTls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(settings) }),
        sentinelRetryStrategy: pauseAfter,
        sentinelReconnectStrategy: () => SENTINEL_RECONNECT_MS,
        sentinelCommandTimeout: Math.min(deadlineMs, SENTINEL_ANSWER_MS),
        // A primary that is cut off from all others does not know that it is none any more; the Sentinels do.
        failoverDetector: true,
        Connector: PrimaryConnector,
      };
    }
  }
}

function tlsOf({ ca }: RedisSettings) {
  return ca === null ? {} : { ca };
}

function pauseAfter(attempts: number): number {
  const mean = Math.min(RETRY_MS.least * 2 ** attempts, RETRY_MS.most);
  return Math.round(mean * (0.5 + Math.random()));
}
