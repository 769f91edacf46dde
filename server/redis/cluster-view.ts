import type { HostAndPort } from '../config.js';
import type { Connection } from './connection.js';

/** Which server has which slots, as one server of the cluster sees it. */
export interface ClusterView {
  /** Grows with each change; a server that is cut off from the others does not hear of it. */
  readonly epoch: number;
  readonly ranges: readonly SlotRange[];
}

export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly primary: HostAndPort;
}

type SlotReply = readonly [number, number, readonly [Buffer | null, number]];

/** @throws Error if it cannot be asked, or is no server of a cluster. */
export async function askForView(
  connection: Pick<Connection, 'send'>,
  asked: HostAndPort,
): Promise<ClusterView> {
  const [info, slots] = await Promise.all([
    connection.send('CLUSTER', 'INFO'),
    connection.send('CLUSTER', 'SLOTS'),
  ]);
  const ranges = (slots as readonly SlotReply[]).map(([from, to, [host, port]]) => ({
    from,
    to,
    // "If the preferred endpoint is NULL, the client should use the endpoint it sent the command to" (CLUSTER SLOTS).
    primary: { host: host === null || host.length === 0 ? asked.host : String(host), port },
  }));
  return {
    epoch: Number(/cluster_current_epoch:(\d+)/.exec(String(info))?.[1] ?? 0),
    // So that two servers that see the same say the same.
    ranges: ranges.toSorted((one, other) => one.from - other.from),
  };
}

export function addressText({ host, port }: HostAndPort): string {
  return `${host}:${port}`;
}

/** Where a server says that a key is: `MOVED 3999 127.0.0.1:6381`. `null` if it says something else. */
export function readRedirection(error: unknown): {
  readonly kind: 'MOVED' | 'ASK';
  readonly slot: number;
  readonly at: HostAndPort | null;
} | null {
  const text = String((error as { readonly message?: unknown } | null)?.message);
  const parts = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(text);
  if (parts === null) return null;
  const [, kind, slot, host = '', port] = parts;
  return {
    kind: kind as 'MOVED' | 'ASK',
    slot: Number(slot),
    at: host === '' ? null : { host, port: Number(port) },
  };
}
