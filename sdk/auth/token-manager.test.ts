import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StaticToken } from './static-token.js';
import { TokenManager } from './token-manager.js';
import type { SourcedToken, TokenSource } from './token-source.js';

/** A source whose answers the test gives. */
class ScriptedSource implements TokenSource {
  readonly canRenew = true;
  readonly asked: { answer(token: SourcedToken): void; refuse(error: Error): void }[] = [];
  readonly signals: AbortSignal[] = [];

  fetch({ signal }: { signal: AbortSignal }): Promise<SourcedToken> {
    this.signals.push(signal);
    return new Promise((answer, refuse) => this.asked.push({ answer, refuse }));
  }
}

describe('the token manager', () => {
  let source: ScriptedSource;
  let tokens: TokenManager;

  beforeEach(() => {
    jest.useFakeTimers();
    source = new ScriptedSource();
    tokens = new TokenManager(source);
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  async function getAnswered(value: string, lifetimeMs: number | null = null) {
    const token = tokens.get();
    source.asked.at(-1)?.answer({ value, lifetimeMs });
    return token;
  }

  it('asks once, however many ask it, and keeps the token', async () => {
    const all = [tokens.get(), tokens.get(), tokens.get()];
    source.asked[0]?.answer({ value: 't1', lifetimeMs: null });
    expect((await Promise.all(all)).map(({ value }) => value)).toEqual(['t1', 't1', 't1']);
    expect((await tokens.get()).value).toBe('t1');
    expect(source.asked).toHaveLength(1);
  });

  it.each([
    [3_600_000, 60_000],
    [100_000, 20_000],
  ])('renews a token that lives %d ms when %d ms are left', async (lifetimeMs, leftMs) => {
    await getAnswered('t1', lifetimeMs);
    jest.advanceTimersByTime(lifetimeMs - leftMs - 1);
    expect((await tokens.get()).value).toBe('t1');
    jest.advanceTimersByTime(1);
    expect((await getAnswered('t2')).value).toBe('t2');
  });

  it('drops a refused token once, and not the newer one', async () => {
    const first = await getAnswered('t1');
    tokens.drop(first);
    const second = await getAnswered('t2');
    tokens.drop(first);
    expect(await tokens.get()).toBe(second);
    expect(source.asked).toHaveLength(2);
  });

  it('asks anew after a failure', async () => {
    const failing = tokens.get();
    source.asked[0]?.refuse(new Error('no'));
    await expect(failing).rejects.toThrow('no');
    expect((await getAnswered('t2')).value).toBe('t2');
  });

  it('gives up on a source that does not answer, and tells it', async () => {
    const late = tokens.get();
    jest.advanceTimersByTime(10_000);
    await expect(late).rejects.toMatchObject({ code: 'TOKEN_PROVIDER_TIMEOUT', recoverable: true });
    expect(source.signals[0]?.aborted).toBe(true);
  });

  it.each([0, 1, 2, 3, 4, 5, 6])(
    'hears no answer of a source that was replaced %d turns after it was given',
    async (turns) => {
      const old = tokens.get().catch(() => null);
      source.asked[0]?.answer({ value: 'old', lifetimeMs: null });
      for (let i = 0; i < turns; i++) await null;
      tokens.replaceSource(new StaticToken('new'));
      await old;
      expect((await tokens.get()).value).toBe('new');
      expect(tokens.canRenew).toBe(false);
    },
  );

  it('calls off what is under way when it is closed', async () => {
    const pending = tokens.get();
    tokens.close();
    await expect(pending).rejects.toMatchObject({ code: 'CLOSED' });
    expect(source.signals[0]?.aborted).toBe(true);
  });
});
