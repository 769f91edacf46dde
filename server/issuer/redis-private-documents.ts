import { randomUUID } from 'node:crypto';
import type { Redis } from '../redis/redis.js';
import { script } from '../redis/script.js';
import { type DocumentSeal, documentSeal } from './document-seal.js';
import { IssuerError } from './issuer-error.js';
import type { PrivateDocument, PrivateDocuments, PrivateText } from './private-document.js';

/** How often a running service looks for what another process has changed. */
const LOOK_INTERVAL_MS = 250;
/** How often a change is made anew because another one came first. */
const MAX_ATTEMPTS = 20;

// There are two documents, both bounded. They may be written when Redis is full: a client that is to be locked out is.

/** KEYS: document. ARGV: version, text. Replies 1, or 0 where there is one already. */
const CREATE = script(
  `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'text', ARGV[2])
return 1
`,
  ['allow-oom'],
);

/** ARGV further: the version that is to be replaced, or ''. Replies 1, or 0 where it is another one. */
const REPLACE = script(
  `
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'text', ARGV[2])
return 1
`,
  ['allow-oom'],
);

export interface RedisPrivateDocumentsOptions {
  readonly redis: Redis;
  /** What they are encrypted with; `null`: they are not. */
  readonly secret: string | null;
}

/** What an issuer keeps, in Redis: the same for all nodes. */
export class RedisPrivateDocuments implements PrivateDocuments {
  readonly place = 'Redis';
  readonly keys: RedisPrivateDocument;
  readonly clients: RedisPrivateDocument;
  private timer: NodeJS.Timeout | null = null;

  constructor({ redis, secret }: RedisPrivateDocumentsOptions) {
    const open = (part: string) => {
      const key = redis.key('issuer', 'all', part);
      return new RedisPrivateDocument(redis, key, documentSeal(secret, `${key} in Redis`));
    };
    this.keys = open('keys');
    this.clients = open('clients');
  }

  /** From now on changes are seen without asking, and a Redis that has lost the documents gets them back. */
  watch(): void {
    this.timer ??= setInterval(() => {
      for (const document of [this.keys, this.clients]) void document.look();
    }, LOOK_INTERVAL_MS).unref();
  }

  async prepare(): Promise<void> {}

  async exist(): Promise<boolean> {
    const versions = await Promise.all([this.keys.version(), this.clients.version()]);
    return versions.some((version) => version !== null);
  }

  close(): void {
    clearInterval(this.timer ?? undefined);
  }
}

/** A hash of a version and the sealed text. */
class RedisPrivateDocument implements PrivateDocument {
  readonly name: string;
  /** As it was read last; one that cannot be opened has a fault in place of its text. */
  private known: PrivateText | { readonly version: string; readonly fault: unknown } | null = null;
  private isLooking = false;

  constructor(
    private readonly redis: Redis,
    private readonly key: string,
    private readonly seal: DocumentSeal,
  ) {
    this.name = `${key} in Redis`;
  }

  async read(): Promise<PrivateText | null> {
    const reply = await this.redis.call('HMGET', this.key, 'version', 'text');
    const [version, text] = reply as readonly (Buffer | null)[];
    this.known = version ? this.opened(String(version), String(text)) : null;
    return this.readNow();
  }

  async version(): Promise<string | null> {
    const version = await this.redis.call('HGET', this.key, 'version');
    return version === null ? null : String(version);
  }

  readNow(): PrivateText | null {
    if (this.known !== null && 'fault' in this.known) throw this.known.fault;
    return this.known;
  }

  versionNow(): string | null {
    return this.known?.version ?? null;
  }

  async create(text: string): Promise<void> {
    await this.redis.runDurably(CREATE, [this.key], [randomUUID(), this.seal.seal(text)]);
  }

  async change(change: (text: string | null) => string): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = await this.read();
      const text = this.seal.seal(change(before?.text ?? null));
      const args = [randomUUID(), text, before?.version ?? ''];
      if ((await this.redis.runDurably(REPLACE, [this.key], args)) === 1) return;
    }
    throw new IssuerError(`${this.name} is being changed by others all the time`);
  }

  /** Looks for a change. While Redis is away everything stays as it was. */
  async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const version = await this.version();
      if (version === this.versionNow()) return;
      if (version === null) await this.putBack();
      await this.read();
    } catch {
      // A fault of the document is told by `readNow`.
    } finally {
      this.isLooking = false;
    }
  }

  /** No process ever takes a document away: a Redis without it was emptied, or took the place of another one. */
  private async putBack(): Promise<void> {
    if (this.known !== null && 'text' in this.known) await this.create(this.known.text);
  }

  private opened(version: string, sealed: string): NonNullable<typeof this.known> {
    try {
      return { version, text: this.seal.open(sealed) };
    } catch (fault) {
      return { version, fault };
    }
  }
}
