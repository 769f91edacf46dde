import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ALICE } from '../../../test/support/gate.js';
import { MemoryStreamTokenStore } from './memory-stream-token-store.js';
import type { StreamTokenGrant } from './stream-token-store.js';
import { createStreamTokens, type StreamTokens } from './stream-tokens.js';

const USE = { workspace: 'acme', origin: 'https://app.example' };
const NOW_MS = Date.UTC(2026, 0, 1);

/** What the store was asked, in order. */
class RecordingStore extends MemoryStreamTokenStore {
  readonly puts: { hash: string; grant: StreamTokenGrant; lifetimeMs: number }[] = [];
  readonly takes: string[] = [];

  override put(hash: string, grant: StreamTokenGrant, lifetimeMs: number): Promise<void> {
    this.puts.push({ hash, grant, lifetimeMs });
    return super.put(hash, grant, lifetimeMs);
  }
  override take(hash: string): Promise<StreamTokenGrant | null> {
    this.takes.push(hash);
    return super.take(hash);
  }
}

let store: RecordingStore;
let tokens: StreamTokens;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW_MS });
  store = new RecordingStore();
  tokens = createStreamTokens(store);
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a stream token', () => {
  it('is 256 bits in base64url after its prefix, another one each time', async () => {
    const values = await Promise.all(
      Array.from({ length: 50 }, async () => (await tokens.issue(ALICE, USE)).streamToken),
    );
    expect(new Set(values).size).toBe(50);
    for (const value of values) {
      expect(value).toMatch(/^sst_[A-Za-z0-9_-]{43}$/);
      expect(Buffer.from(value.slice(4), 'base64url')).toHaveLength(32);
    }
  });

  it('is stored as a hash alone, with what it is bound to', async () => {
    const { streamToken } = await tokens.issue(ALICE, USE);
    const hash = createHash('sha256').update(streamToken).digest('base64url');
    expect(store.puts).toEqual([{ hash, grant: { principal: ALICE, ...USE }, lifetimeMs: 30_000 }]);
    expect(JSON.stringify(store.puts)).not.toContain(streamToken);
  });

  it('lives 30 seconds, and no longer than the access token', async () => {
    expect((await tokens.issue(ALICE, USE)).expiresAtMs).toBe(NOW_MS + 30_000);
    const short = { ...ALICE, expiresAt: NOW_MS / 1_000 + 12.5 };
    expect((await tokens.issue(short, USE)).expiresAtMs).toBe(NOW_MS + 12_500);
  });

  it('is not given for an access token that has expired', async () => {
    const expired = { ...ALICE, expiresAt: NOW_MS / 1_000 };
    await expect(tokens.issue(expired, USE)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(store.puts).toEqual([]);
  });

  it('gives the principal back, where it is used as it was meant', async () => {
    const { streamToken } = await tokens.issue(ALICE, USE);
    expect(await tokens.redeem(streamToken, USE)).toEqual(ALICE);
  });

  it('is good in the moment before its end, and not at it', async () => {
    const one = await tokens.issue(ALICE, USE);
    const other = await tokens.issue(ALICE, USE);
    jest.advanceTimersByTime(29_999);
    expect(await tokens.redeem(one.streamToken, USE)).toEqual(ALICE);
    jest.advanceTimersByTime(1);
    await expect(tokens.redeem(other.streamToken, USE)).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('is good once, also for 50 at once', async () => {
    const { streamToken } = await tokens.issue(ALICE, USE);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => tokens.redeem(streamToken, USE)),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(49);
    for (const outcome of refused) {
      expect(outcome).toMatchObject({ reason: { code: 'INVALID_TOKEN' } });
    }
  });

  it.each([
    ['unknown', 'A'.repeat(43)],
    ['empty', ''],
    ['of another form', 'eyJhbGciOiJub25lIn0.e30.'],
    ['very long', 'a'.repeat(8_192)],
  ])('is refused where it is %s', async (_, token) => {
    await tokens.issue(ALICE, USE);
    await expect(tokens.redeem(token, USE)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it.each([
    ['another workspace', { ...USE, workspace: 'other' }, 'WORKSPACE_MISMATCH'],
    ['another case of the workspace', { ...USE, workspace: 'Acme' }, 'WORKSPACE_MISMATCH'],
    ['another origin', { ...USE, origin: 'https://evil.example' }, 'INVALID_TOKEN'],
    ['no origin', { ...USE, origin: null }, 'INVALID_TOKEN'],
    ['both', { workspace: 'other', origin: null }, 'INVALID_TOKEN'],
  ])('is used up by its use for %s', async (_, use, code) => {
    const { streamToken } = await tokens.issue(ALICE, USE);
    await expect(tokens.redeem(streamToken, use)).rejects.toMatchObject({ code });
    await expect(tokens.redeem(streamToken, USE)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('that was given to no page is not for one', async () => {
    const { streamToken } = await tokens.issue(ALICE, { ...USE, origin: null });
    await expect(tokens.redeem(streamToken, USE)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('says TOKEN_EXPIRED where the access token expired meanwhile', async () => {
    const short = { ...ALICE, expiresAt: NOW_MS / 1_000 + 10 };
    const { streamToken } = await tokens.issue(short, USE);
    jest.advanceTimersByTime(10_000);
    await expect(tokens.redeem(streamToken, USE)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });
});
