import { randomBytes } from 'node:crypto';
import { SluiceError } from '../errors.js';
import { createBoundedWork } from './bounded-work.js';
import { createSecret, hashSecret, matchesSecret, UNMATCHABLE_HASH } from './client-secret.js';
import {
  type Client,
  type ClientSecret,
  isClientId,
  MAX_CLIENTS,
  MAX_SECRETS,
  readClients,
  type StoredClient,
  type StoredClients,
  type StoredSecret,
  writeClients,
} from './clients-file.js';
import { filePrivateDocuments } from './file-private-documents.js';
import { readGrant } from './grant.js';
import type { PrivateDocuments } from './private-document.js';

export type { Client, ClientSecret } from './clients-file.js';

export interface NewClient {
  readonly id: string;
  readonly workspaces: readonly string[];
  readonly permissions: readonly string[];
}

/** A secret as it is handed out, this once. */
export interface NewSecret extends ClientSecret {
  readonly secret: string;
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
   * Gives a client a second secret; both are good until one is removed.
   * @throws SluiceError INVALID_REQUEST if there is no such client, or it has two.
   */
  addSecret(clientId: string): Promise<NewSecret>;
  /**
   * Removes one of two secrets: the one of that id, or the older one.
   * @throws SluiceError INVALID_REQUEST if there is no such client or secret, or it is the client's last one.
   */
  removeSecret(clientId: string, which: { id: string } | 'older'): Promise<ClientSecret>;
  /**
   * The client, if the secret is one of its own. An unknown client, and one with two secrets, cost as much time as a
   * wrong secret.
   * @throws SluiceError RATE_LIMIT_EXCEEDED while too many others are checked.
   */
  authenticate(id: string, secret: string): Promise<Client | null>;
}

export interface ClientStoreOptions {
  readonly dataDir: string;
  /** Where the clients are kept; default: in the folder `issuer` of the data folder, which is made where it is missing. */
  readonly documents?: PrivateDocuments;
  /** How long a change waits for one that another process makes. Default 2,000 ms. */
  readonly lockPatienceMs?: number;
}

// scrypt occupies a thread of the pool of four for its whole time; two are left for files and names.
const CHECKS = { running: 2, waiting: 6, retryAfterMs: 1_000 };
const SECRET_ID_BYTES = 4;

/** Opens the clients where an issuer has worked; `null` anywhere else. Makes nothing. */
export async function openExistingClientStore(
  options: ClientStoreOptions,
): Promise<ClientStore | null> {
  return (await documentsOf(options).exist()) ? openClientStore(options) : null;
}

/** Opens the clients. What another process changes is seen by the next call. */
export async function openClientStore(options: ClientStoreOptions): Promise<ClientStore> {
  const documents = documentsOf(options);
  await documents.prepare();
  const document = documents.clients;
  const bounded = createBoundedWork(CHECKS);
  let known: { readonly version: string | null; readonly clients: StoredClients } | undefined;

  async function currentClients(): Promise<StoredClients> {
    if (known === undefined || known.version !== (await document.version())) {
      const read = await document.read();
      const clients = readClients(document.name, read?.text ?? null);
      known = { version: read?.version ?? null, clients };
    }
    return known.clients;
  }

  function change(edit: (clients: Map<string, StoredClient>) => void): Promise<void> {
    const changed = (text: string | null) => {
      const clients = new Map(readClients(document.name, text));
      edit(clients);
      return writeClients(clients);
    };
    return document.change(changed);
  }

  return {
    async addClient({ id, workspaces, permissions }) {
      const reading = readGrant(workspaces, permissions);
      if ('fault' in reading) throw refused(reading.fault);
      if (!isClientId(id)) {
        throw refused('the id is not 1 to 128 letters, digits, ".", "_" and "-"');
      }
      const { secret, stored } = await newSecret();
      const { createdAt } = stored;
      await change((clients) => {
        if (clients.has(id)) throw refused('the client exists already');
        if (clients.size >= MAX_CLIENTS) throw refused(`there are ${MAX_CLIENTS} clients already`);
        clients.set(id, { id, ...reading.grant, createdAt, secrets: [stored] });
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
      return [...(await currentClients()).values()].map(withoutHashes);
    },

    async addSecret(clientId) {
      const [first] = withRoom(clientNamed(await currentClients(), clientId)).secrets;
      const { secret, stored } = await newSecret(first.hash);
      await change((clients) => {
        const client = withRoom(clientNamed(clients, clientId));
        // Removed and added anew in the meantime: then one derivation would not be enough for both.
        if (client.secrets[0].hash !== first.hash) throw refused('the client has just changed');
        clients.set(clientId, { ...client, secrets: [...client.secrets, stored] });
      });
      return { ...withoutHash(stored), secret };
    },

    async removeSecret(clientId, which) {
      const choose = (clients: StoredClients) => {
        const client = clientNamed(clients, clientId);
        const [older] = client.secrets;
        const found = which === 'older' ? older : client.secrets.find(({ id }) => id === which.id);
        if (found === undefined) throw refused('the client has no such secret');
        const [kept] = client.secrets.filter((secret) => secret !== found);
        if (kept === undefined) throw refused('it is the only secret of the client');
        return { client, found, kept };
      };
      // No change, and no file, for nothing.
      choose(await currentClients());
      let removed: ClientSecret | undefined;
      await change((clients) => {
        const { client, found, kept } = choose(clients);
        clients.set(clientId, { ...client, secrets: [kept] });
        removed = withoutHash(found);
      });
      if (removed === undefined) throw new Error('the secret was not removed');
      return removed;
    },

    authenticate(id, secret) {
      return bounded(async () => {
        const client = (await currentClients()).get(id);
        const matches = await matchesSecret(secret, hashesOf(client));
        return client !== undefined && matches ? withoutHashes(client) : null;
      });
    },
  };
}

function documentsOf({ dataDir, documents, lockPatienceMs }: ClientStoreOptions): PrivateDocuments {
  return documents ?? filePrivateDocuments(dataDir, lockPatienceMs);
}

async function newSecret(like?: string): Promise<{ secret: string; stored: StoredSecret }> {
  const secret = createSecret();
  const id = randomBytes(SECRET_ID_BYTES).toString('hex');
  const hash = await hashSecret(secret, like);
  return { secret, stored: { id, createdAt: new Date().toISOString(), hash } };
}

function clientNamed(clients: StoredClients, id: string): StoredClient {
  const client = clients.get(id);
  if (client === undefined) throw refused('there is no such client');
  return client;
}

function withRoom(client: StoredClient): StoredClient {
  if (client.secrets.length < MAX_SECRETS) return client;
  throw refused('the client has two secrets already; remove the older one first');
}

function hashesOf(client: StoredClient | undefined): readonly [string, ...string[]] {
  if (client === undefined) return [UNMATCHABLE_HASH];
  const [first, ...others] = client.secrets;
  return [first.hash, ...others.map(({ hash }) => hash)];
}

function withoutHashes({ secrets, ...client }: StoredClient): Client {
  return { ...client, secrets: secrets.map(withoutHash) };
}

function withoutHash({ hash: _, ...secret }: StoredSecret): ClientSecret {
  return secret;
}

function refused(fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', fault);
}
