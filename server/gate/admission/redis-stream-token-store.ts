import { createHash } from 'node:crypto';
import { deepFreeze } from '../../deep-freeze.js';
import type { Redis } from '../../redis/redis.js';
import { script } from '../../redis/script.js';
import { subjectKey } from '../principal.js';
import {
  STREAM_TOKEN_LIMITS,
  type StreamTokenLimits,
  tooManyStreamTokens,
} from './stream-token-limits.js';
import type { StreamTokenGrant, StreamTokenStore } from './stream-token-store.js';

// A grant is a key of its own, which Redis forgets when its time is over. Who has how many of them is kept in three
// sorted sets (hash -> when it ends): of the subject, of the workspace, of all. All have one tag, so that counting and
// keeping are one step, in a cluster too.

/** Owners in the order in which they are counted, by what the script answers. */
const OWNERS = ['subject', 'workspace', 'service'] as const;

/**
 * KEYS: grant, then the sets. ARGV: hash, grant, its life in ms, how many each set may hold. Replies: 0, or the number of the
 * set that is full. Allowed when Redis is full: readers are still let in then, and there are bounds.
 */
const PUT = script(
  `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local life = tonumber(ARGV[3])
for set = 1, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[1 + set], '-inf', string.format('%.0f', now))
  if redis.call('ZCARD', KEYS[1 + set]) >= tonumber(ARGV[3 + set]) then return set end
end
for set = 1, 3 do
  redis.call('ZADD', KEYS[1 + set], string.format('%.0f', now + life), ARGV[1])
  if redis.call('PTTL', KEYS[1 + set]) < life then redis.call('PEXPIRE', KEYS[1 + set], life) end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', life)
return 0
`,
  ['allow-oom'],
);

/** Allowed when Redis is full, since it makes room. */
const TAKE = script(`return redis.call('GETDEL', KEYS[1])`, ['allow-oom']);

/** KEYS: sets. ARGV: hash. */
const RELEASE = script(`for _, set in ipairs(KEYS) do redis.call('ZREM', set, ARGV[1]) end`, [
  'allow-oom',
]);

/** Keeps stream tokens in Redis: got at one node, good at every other. At its bounds it refuses new ones, and drops nobody's. */
export class RedisStreamTokenStore implements StreamTokenStore {
  constructor(
    private readonly redis: Redis,
    private readonly limits: StreamTokenLimits = STREAM_TOKEN_LIMITS,
  ) {}

  async put(hash: string, grant: StreamTokenGrant, lifetimeMs: number): Promise<void> {
    const { maxPerSubject, maxPerWorkspace, maxTokens } = this.limits;
    const full = await this.redis.run(
      PUT,
      [this.key('grant', hash), ...this.setsOf(grant)],
      [hash, JSON.stringify(grant), lifetimeMs, maxPerSubject, maxPerWorkspace, maxTokens],
    );
    const owner = OWNERS[Number(full) - 1];
    if (owner !== undefined) throw tooManyStreamTokens(owner);
  }

  async take(hash: string): Promise<StreamTokenGrant | null> {
    // Where another server takes this one's place, it shall know of it: a token opens one stream, and not a second one.
    const text = await this.redis.runDurably(TAKE, [this.key('grant', hash)], []);
    if (text === null) return null;
    const grant: StreamTokenGrant = JSON.parse(String(text));
    await this.release(hash, grant);
    return deepFreeze(grant);
  }

  private async release(hash: string, grant: StreamTokenGrant): Promise<void> {
    // If it cannot be told it is counted until its time is over, and has opened its stream all the same.
    await this.redis.run(RELEASE, this.setsOf(grant), [hash]).catch(() => {});
  }

  private setsOf({ principal, workspace }: StreamTokenGrant): string[] {
    return [
      this.key('subject', digest(subjectKey(principal))),
      this.key('workspace', workspace),
      this.key('service', ''),
    ];
  }

  private key(kind: string, name: string): string {
    return this.redis.key('stream-tokens', 'all', `${kind}:${name}`);
  }
}

/** A subject may be longer than the name of a key should be. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
