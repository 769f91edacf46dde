import { join } from 'node:path';
import { SluiceError } from '../errors.js';
import { createBoundedWork } from './bounded-work.js';
import {
  createSecret,
  hashSecret,
  isSecretHash,
  matchesSecret,
  UNMATCHABLE_HASH,
} from './client-secret.js';
import { type Grant, readGrant } from './grant.js';
import { issuerFolder } from './issuer.js';
import { IssuerError } from './issuer-error.js';
import {
  changePrivateFile,
  preparePrivateFolder,
  readPrivateFile,
  versionOfPrivateFile,
} from './private-file.js';

/** A service account: a program that gets tokens by the client credentials grant. */
export interface Client extends Grant {
  readonly id: string;
  readonly createdAt: string;
}

export interface NewClient {
  readonly id: string;
  readonly workspaces: readonly string[];
  readonly permissions: readonly string[];
}

export interface ClientStore {
  /**
   * Adds a client and returns its secret, which is kept nowhere else.
   * @throws SluiceError INVALID_REQUEST if the client cannot stand, exists already, or is one too many.
   */
  addClient(client: NewClient): Promise<{ readonly secret: string }>;
  /** Whether there was such a client. Tokens that it has live until they expire. */
  removeClient(id: string): Promise<boolean>;
  listClients(): Promise<readonly Client[]>;
  /**
   * The client, if the secret is its own. An unknown client costs as much time as a wrong secret.
   * @throws SluiceError RATE_LIMIT_EXCEEDED while too many others are checked.
   */
  authenticate(id: string, secret: string): Promise<Client | null>;
}

export interface ClientStoreOptions {
  /** The clients are kept in its folder `issuer`, which is made where it is missing. */
  readonly dataDir: string;
  /** How long a change waits for one that another process makes. Default 2,000 ms. */
  readonly lockPatienceMs?: number;
}

interface StoredClient extends Client {
  readonly secretHash: string;
}

type StoredClients = ReadonlyMap<string, StoredClient>;

const FILE_VERSION = 1;
const MAX_CLIENTS = 1_000;
// Nothing that the form encoding or the colon of HTTP Basic could change.
const CLIENT_ID = /^[A-Za-z0-9._-]{1,128}$/;
// scrypt occupies a thread of the pool of four for its whole time; two are left for files and names.
const CHECKS = { running: 2, waiting: 6, retryAfterMs: 1_000 };

/** Opens the clients of a data folder that an issuer has worked with; `null` for any other. Makes nothing. */
export async function openExistingClientStore(
  options: ClientStoreOptions,
): Promise<ClientStore | null> {
  const version = await versionOfPrivateFile(issuerFolder(options.dataDir));
  return version === null ? null : openClientStore(options);
}

/** Opens the clients of a data folder. What another process changes is seen by the next call. */
export async function openClientStore(options: ClientStoreOptions): Promise<ClientStore> {
  const { dataDir, lockPatienceMs = 2_000 } = options;
  const folder = issuerFolder(dataDir);
  await preparePrivateFolder(folder);
  const path = join(folder, 'clients.json');
  const bounded = createBoundedWork(CHECKS);
  let known: { readonly version: string | null; readonly clients: StoredClients } | undefined;

  async function currentClients(): Promise<StoredClients> {
    if (known === undefined || known.version !== (await versionOfPrivateFile(path))) {
      const file = await readPrivateFile(path);
      known = { version: file?.version ?? null, clients: readClients(path, file?.text ?? null) };
    }
    return known.clients;
  }

  function change(edit: (clients: Map<string, StoredClient>) => void): Promise<void> {
    const changed = (text: string | null) => {
      const clients = new Map(readClients(path, text));
      edit(clients);
      const file = { version: FILE_VERSION, clients: [...clients.values()] };
      return `${JSON.stringify(file, null, 2)}\n`;
    };
    return changePrivateFile(path, changed, lockPatienceMs);
  }

  return {
    async addClient({ id, workspaces, permissions }) {
      const reading = readGrant(workspaces, permissions);
      if ('fault' in reading) throw new SluiceError('INVALID_REQUEST', reading.fault);
      if (!CLIENT_ID.test(id)) {
        throw new SluiceError(
          'INVALID_REQUEST',
          'the id is not 1 to 128 letters, digits, ".", "_" and "-"',
        );
      }
      const secret = createSecret();
      const secretHash = await hashSecret(secret);
      const createdAt = new Date().toISOString();
      await change((clients) => {
        if (clients.has(id)) throw new SluiceError('INVALID_REQUEST', 'the client exists already');
        if (clients.size >= MAX_CLIENTS) {
          throw new SluiceError('INVALID_REQUEST', `there are ${MAX_CLIENTS} clients already`);
        }
        clients.set(id, { id, secretHash, ...reading.grant, createdAt });
      });
      return { secret };
    },

    async removeClient(id) {
      // No change, and no file, for nothing.
      if (!(await currentClients()).has(id)) return false;
      let removed = false;
      await change((clients) => {
        removed = clients.delete(id);
      });
      return removed;
    },

    async listClients() {
      return [...(await currentClients()).values()].map(withoutHash);
    },

    authenticate(id, secret) {
      return bounded(async () => {
        const client = (await currentClients()).get(id);
        const matches = await matchesSecret(secret, client?.secretHash ?? UNMATCHABLE_HASH);
        return client !== undefined && matches ? withoutHash(client) : null;
      });
    },
  };
}

function withoutHash({ secretHash: _, ...client }: StoredClient): Client {
  return client;
}

function readClients(path: string, text: string | null): StoredClients {
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

function readEntries(text: string): unknown[] | null {
  try {
    const { version, clients } = Object(JSON.parse(text)) as Record<string, unknown>;
    const isClients = version === FILE_VERSION && Array.isArray(clients);
    return isClients && clients.length <= MAX_CLIENTS ? clients : null;
  } catch {
    return null;
  }
}

function readClient(value: unknown): StoredClient | null {
  const entry = value as Partial<Record<keyof StoredClient, unknown>> | null;
  const reading = readGrant(entry?.workspaces, entry?.permissions);
  const { id, secretHash, createdAt } = entry ?? {};
  if (
    'fault' in reading ||
    typeof id !== 'string' ||
    !CLIENT_ID.test(id) ||
    !isSecretHash(secretHash) ||
    typeof createdAt !== 'string'
  ) {
    return null;
  }
  return { id, secretHash, ...reading.grant, createdAt };
}
