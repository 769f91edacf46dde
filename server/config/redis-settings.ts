import { X509Certificate } from 'node:crypto';
import { isLoopback } from './setting-kinds.js';
import type { SettingReader } from './setting-reader.js';
import { SETTINGS } from './settings.js';

/** Where Redis is, and what is expected of it. */
export interface RedisSettings {
  readonly address: RedisAddress;
  /** In front of all keys and channels. */
  readonly prefix: string;
  /** Certificates of authorities that sign for it, as PEM; `null`: those of the machine. */
  readonly ca: string | null;
  /** How long a command may take. */
  readonly deadlineMs: number;
  /** How many replicas must have an event before its publisher is answered. */
  readonly minReplicas: number;
  /** Whether what Redis has acknowledged survives its restart and fail-over. */
  readonly isDurable: boolean;
  /** Whether the password passes a network without TLS. */
  readonly exposesPassword: boolean;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly username: string | null;
  readonly password: string | null;
  readonly usesTls: boolean;
}

export type RedisAddress =
  | ({ readonly kind: 'standalone'; readonly at: HostAndPort; readonly db: number } & Access)
  | ({
      readonly kind: 'sentinel';
      readonly sentinels: readonly HostAndPort[];
      /** The name under which the Sentinels know the primary. */
      readonly name: string;
      readonly db: number;
      readonly sentinelUsername: string | null;
      readonly sentinelPassword: string | null;
    } & Access)
  | ({ readonly kind: 'cluster'; readonly nodes: readonly HostAndPort[] } & Access);

const SCHEMES: Readonly<Record<string, { kind: RedisAddress['kind']; usesTls: boolean }>> = {
  'redis:': { kind: 'standalone', usesTls: false },
  'rediss:': { kind: 'standalone', usesTls: true },
  'redis+sentinel:': { kind: 'sentinel', usesTls: false },
  'rediss+sentinel:': { kind: 'sentinel', usesTls: true },
  'redis+cluster:': { kind: 'cluster', usesTls: false },
  'rediss+cluster:': { kind: 'cluster', usesTls: true },
};

const FORMS =
  'redis://host:port/db, redis+sentinel://host:port,…/name/db or redis+cluster://host:port,… (rediss for TLS; user:password@ before the hosts)';
const SENTINEL_PARAMETERS = ['sentinel_username', 'sentinel_password'];

/** `null` where `REDIS_URL` is not set. */
export function readRedisSettings(read: SettingReader): RedisSettings | null {
  const url = read.value(SETTINGS.REDIS_URL);
  const settings = {
    prefix: read.value(SETTINGS.REDIS_PREFIX),
    ca: readAuthorities(read),
    deadlineMs: read.value(SETTINGS.REDIS_DEADLINE_MS),
    minReplicas: read.value(SETTINGS.REDIS_MIN_REPLICAS),
    isDurable: read.value(SETTINGS.REDIS_DURABLE),
  };
  if (url === '') return null;
  const address = readAddress(url);
  if (address === null) {
    // It may hold a password, so nothing of it is repeated.
    read.refuse(`REDIS_URL must be ${FORMS}`);
    return null;
  }
  if (settings.ca !== null && !address.usesTls) {
    read.refuse('REDIS_CA_FILE is set, and REDIS_URL is not for TLS (rediss)');
  }
  return { address, ...settings, exposesPassword: exposesPassword(address) };
}

function readAuthorities(read: SettingReader): string | null {
  const text = read.file(SETTINGS.REDIS_CA_FILE);
  if (text !== null && !areCertificates(text)) {
    // TLS would pass over what it cannot read, and trust nobody.
    read.refuse('REDIS_CA_FILE names a file that does not hold certificates as PEM');
  }
  return text;
}

function areCertificates(text: string): boolean {
  const blocks = text.match(/-----BEGIN [A-Z0-9 ]+-----[^-]*-----END [A-Z0-9 ]+-----/g) ?? [];
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block));
  } catch {
    return false;
  }
}

function exposesPassword(address: RedisAddress): boolean {
  if (address.password === null || address.usesTls) return false;
  const hosts =
    address.kind === 'standalone'
      ? [address.at]
      : address.kind === 'sentinel'
        ? address.sentinels
        : address.nodes;
  return !hosts.every(({ host }) => isLoopback(host));
}

/** An address of several hosts is no URL, so it is taken apart by hand. `null` if it is none. */
function readAddress(text: string): RedisAddress | null {
  const parts = /^([a-z+]+:)\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  const [, scheme = '', userInfo = '', hostList = '', path = '', query = ''] = parts ?? [];
  const form = SCHEMES[scheme];
  if (form === undefined) return null;
  const nodes = hostList
    .split(',')
    .flatMap((host) => readHost(host, form.kind === 'sentinel' ? 26_379 : 6_379) ?? []);
  const access = readAccess(userInfo, form.usesTls);
  if (access === null || nodes.length !== hostList.split(',').length) return null;
  switch (form.kind) {
    case 'standalone': {
      const db = readDb(path);
      const [at] = nodes;
      if (db === null || nodes.length !== 1 || at === undefined || query !== '') return null;
      return { kind: 'standalone', at, db, ...access };
    }
    case 'sentinel':
      return readSentinel(nodes, path, query, access);
    case 'cluster':
      return path === '' && query === '' ? { kind: 'cluster', nodes, ...access } : null;
  }
}

function readSentinel(
  sentinels: readonly HostAndPort[],
  path: string,
  query: string,
  access: Access,
): RedisAddress | null {
  const [nameText = '', dbText = '', ...rest] = path.split('/');
  const name = decode(nameText);
  const db = readDb(dbText);
  const parameters = new URLSearchParams(query);
  const names = [...parameters.keys()];
  const areKnown = names.every((one) => SENTINEL_PARAMETERS.includes(one));
  const areOnce = new Set(names).size === names.length;
  if (!name || db === null || rest.length > 0 || !areKnown || !areOnce) return null;
  return {
    kind: 'sentinel',
    sentinels,
    name,
    db,
    sentinelUsername: parameters.get('sentinel_username'),
    sentinelPassword: parameters.get('sentinel_password'),
    ...access,
  };
}

function readHost(text: string, usualPort: number): HostAndPort | null {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? usualPort);
  if (parts === null || port < 1 || port > 65_535) return null;
  return { host: (parts[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

function readDb(text: string): number | null {
  if (text === '') return 0;
  return /^\d{1,4}$/.test(text) ? Number(text) : null;
}

function readAccess(userInfo: string, usesTls: boolean): Access | null {
  const [userText = '', ...rest] = userInfo.split(':');
  const username = decode(userText);
  const password = decode(rest.join(':'));
  // A user without a password would be nobody.
  if (username === null || password === null || (username !== '' && password === '')) return null;
  return { username: username || null, password: password || null, usesTls };
}

/** `null` if it is not percent-encoded as a URL is. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The servers to begin with, for people to read: nothing secret is in it. */
export function placesOf(address: RedisAddress): string {
  const places =
    address.kind === 'standalone'
      ? [address.at]
      : address.kind === 'sentinel'
        ? address.sentinels
        : address.nodes;
  return places.map(({ host, port }) => `${host}:${port}`).join(', ');
}
