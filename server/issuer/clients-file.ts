import { isSecretHash, shareWork } from './client-secret.js';
import { type Grant, readGrant } from './grant.js';
import { IssuerError } from './issuer-error.js';

/** A secret of a client, without the secret. */
export interface ClientSecret {
  readonly id: string;
  readonly createdAt: string;
}

/** A service account: a program that gets tokens by the client credentials grant. */
export interface Client extends Grant {
  readonly id: string;
  readonly createdAt: string;
  /** The older one first. */
  readonly secrets: readonly ClientSecret[];
}

export interface StoredSecret extends ClientSecret {
  readonly hash: string;
}

export interface StoredClient extends Client {
  readonly secrets: readonly [StoredSecret, ...StoredSecret[]];
}

export type StoredClients = ReadonlyMap<string, StoredClient>;

export const MAX_CLIENTS = 1_000;
/** A new one can be handed out before the old one goes. */
export const MAX_SECRETS = 2;

const FILE_VERSION = 2;
// Nothing that the form encoding or the colon of HTTP Basic could change.
const CLIENT_ID = /^[A-Za-z0-9._-]{1,128}$/;
const SECRET_ID = /^[a-z0-9]{1,16}$/;
/** The only secret of a client in a file of version 1, which named none. */
const ONLY_SECRET_ID = 'first';

export function isClientId(value: unknown): value is string {
  return typeof value === 'string' && CLIENT_ID.test(value);
}

export function writeClients(clients: StoredClients): string {
  const file = { version: FILE_VERSION, clients: [...clients.values()] };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws IssuerError if the text is damaged. */
export function readClients(path: string, text: string | null): StoredClients {
  const clients = new Map<string, StoredClient>();
  if (text === null) return clients;
  const entries = readEntries(text);
  if (entries === null) throw new IssuerError(`${path} is damaged: it is not a list of clients`);
  for (const [index, entry] of entries.entries()) {
    const client = readClient(entry);
    if (client === null || clients.has(client.id)) {
      throw new IssuerError(`${path} is damaged: entry ${index + 1} is not a client of its own`);
    }
    clients.set(client.id, client);
  }
  return clients;
}

/** The entries in the form of now. */
function readEntries(text: string): unknown[] | null {
  try {
    const { version, clients } = Object(JSON.parse(text)) as Record<string, unknown>;
    if (!Array.isArray(clients) || clients.length > MAX_CLIENTS) return null;
    if (version === 1) return clients.map(withSecrets);
    return version === FILE_VERSION ? clients : null;
  } catch {
    return null;
  }
}

/** A client of version 1 had one secret, as old as itself. */
function withSecrets(value: unknown): unknown {
  const { secretHash: hash, ...client } = Object(value) as Record<string, unknown>;
  return { ...client, secrets: [{ id: ONLY_SECRET_ID, createdAt: client['createdAt'], hash }] };
}

function readClient(value: unknown): StoredClient | null {
  const entry = value as Partial<Record<keyof StoredClient, unknown>> | null;
  const reading = readGrant(entry?.workspaces, entry?.permissions);
  const { id, createdAt } = entry ?? {};
  const secrets = readSecrets(entry?.secrets);
  if ('fault' in reading || !isClientId(id) || secrets === null || typeof createdAt !== 'string') {
    return null;
  }
  return { id, ...reading.grant, createdAt, secrets };
}

function readSecrets(value: unknown): StoredClient['secrets'] | null {
  if (!Array.isArray(value) || value.length > MAX_SECRETS || !value.every(isSecret)) return null;
  const [first, ...others] = value;
  const isSound =
    new Set(value.map(({ id }) => id)).size === value.length &&
    shareWork(value.map(({ hash }) => hash));
  return first === undefined || !isSound ? null : [first, ...others];
}

function isSecret(value: unknown): value is StoredSecret {
  const { id, createdAt, hash } = (value ?? {}) as Partial<Record<keyof StoredSecret, unknown>>;
  return (
    typeof id === 'string' &&
    SECRET_ID.test(id) &&
    typeof createdAt === 'string' &&
    isSecretHash(hash)
  );
}
