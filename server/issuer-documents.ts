import type { Config, RedisSettings } from './config.js';
import { filePrivateDocuments } from './issuer/file-private-documents.js';
import { IssuerError } from './issuer/issuer-error.js';
import type { PrivateDocuments } from './issuer/private-document.js';
import { RedisPrivateDocuments } from './issuer/redis-private-documents.js';
import type { Redis } from './redis/redis.js';

/** What the embedded issuer keeps, and how to let go of it. */
export interface IssuerDocuments {
  readonly documents: PrivateDocuments;
  close(): Promise<void>;
}

/**
 * Where the settings say that they are: in the data folder, or in Redis, for all nodes.
 * @param redis the service's; without it a connection of its own is opened and closed
 */
export async function openIssuerDocuments(
  { dataDir, issuer, redis: settings }: Config,
  redis: Redis | null = null,
): Promise<IssuerDocuments> {
  const files = filePrivateDocuments(dataDir);
  if (settings === null) return { documents: files, close: async () => {} };
  const connection = redis ?? (await connect(settings));
  const documents = new RedisPrivateDocuments({
    redis: connection,
    secret: issuer?.keySecret ?? null,
  });
  const close = async () => {
    documents.close();
    if (redis === null) await connection.close();
  };
  try {
    await adopt(files, documents);
    documents.watch();
    return { documents, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connect(settings: RedisSettings): Promise<Redis> {
  const { openRedis } = await import('./redis/open-redis.js');
  try {
    // What cannot be reached later is told by the call that needs it.
    return await openRedis({ settings, onFailure: () => {} });
  } catch (cause) {
    throw new IssuerError((cause as Error).message, { cause });
  }
}

/** What the data folder holds from the time when it was alone goes into a Redis that has nothing yet: tokens stay good. */
async function adopt(files: PrivateDocuments, shared: PrivateDocuments): Promise<void> {
  for (const part of ['keys', 'clients'] as const) {
    const own = await files[part].read();
    if (own !== null) await shared[part].create(own.text);
    await shared[part].read();
  }
}
