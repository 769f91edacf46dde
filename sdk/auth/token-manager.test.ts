import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeError } from '../errors.js';
import { StaticToken } from './static-token.js';
import { StopRetrying } from './stop-retrying.js';
import { tokenFailure } from './token-failure.js';
import { TokenManager } from './token-manager.js';
import type { SourcedToken, TokenRequest, TokenSource } from './token-source.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;

/** A source whose answers the test gives. */
class ScriptedSource implements TokenSource {
  readonly canRenew = true;
  readonly renewsAhead: boolean;
  readonly requests: TokenRequest[] = [];
  #settle: { answer(token: SourcedToken): void; refuse(error: unknown): void } | null = null;

  constructor(renewsAhead = true) {
    this.renewsAhead = renewsAhead;
  }

  get asked(): [TokenRequest['reason'], number][] {
    return this.requests.map(({ reason, attempt }) => [reason, attempt]);
  }

  fetch(request: TokenRequest): Promise<SourcedToken> {
    this.requests.push(request);
    return new Promise((answer, refuse) => {
      this.#settle = { answer, refuse };
    });
  }

  answer(value: string, lifetimeMs: number | null = null): void {
    this.#settle?.answer({ value, lifetimeMs });
  }

  refuse(error: unknown): void {
    this.#settle?.refuse(error);
  }
}

function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}

/** Lets all that is due now happen. */
async function settle(): Promise<void> {
  await jest.advanceTimersByTimeAsync(0);
}

describe('the token manager', () => {
  let source: ScriptedSource;
  let tokens: TokenManager;
  let onRenewed: jest.Mock<() => void>;

  beforeEach(() => {
    jest.useFakeTimers({ now: NOW });
    jest.spyOn(Math, 'random').mockReturnValue(0);
    onRenewed = jest.fn<() => void>();
    manage(new ScriptedSource());
  });
  afterEach(() => {
    tokens.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  function manage(scripted: ScriptedSource): void {
    source = scripted;
    tokens = new TokenManager(source, onRenewed);
  }

  async function getAnswered(value: string, lifetimeMs: number | null = null) {
    const token = tokens.get();
    await settle();
    source.answer(value, lifetimeMs);
    return token;
  }

  /** A token with which a stream lives for `lifeMs` from now. */
  async function getAccepted(value: string, lifeMs: number) {
    const token = await getAnswered(value);
    tokens.accepted(token, inMs(lifeMs));
    return token;
  }

  describe('asks its source', () => {
    it('once, however many ask it, and keeps the token', async () => {
      const all = [tokens.get(), tokens.get(), tokens.get()];
      await settle();
      source.answer('t1');
      expect((await Promise.all(all)).map(({ value }) => value)).toEqual(['t1', 't1', 't1']);
      expect((await tokens.get()).value).toBe('t1');
      expect(source.asked).toEqual([['initial', 1]]);
    });

    it('anew after a failure, and counts the attempts', async () => {
      for (const _ of [1, 2]) {
        const failing = tokens.get();
        await settle();
        source.refuse(tokenFailure());
        await expect(failing).rejects.toThrow('No token could be had');
      }
      const token = await getAnswered('t3');
      tokens.refused(token, 'rejected');
      await getAnswered('t4');
      expect(source.asked).toEqual([
        ['initial', 1],
        ['initial', 2],
        ['initial', 3],
        ['rejected', 1],
      ]);
    });

    it('and takes no error for its own that a function of the application throws', async () => {
      await getAnswered('t1-secret');
      tokens.refused(await tokens.get(), 'rejected');
      const hostile = new Proxy(new StopRetrying(), {
        get: () => {
          throw new Error('no');
        },
      });
      const details = { message: 'of t1-secret', retryAfterMs: Number.POSITIVE_INFINITY };
      for (const thrown of [
        new RealtimeError('INVALID_TOKEN', details),
        new RealtimeError('TOKEN_PROVIDER_ERROR', { ...details, recoverable: false }),
        new RealtimeError('CLOSED', details),
        hostile,
        null,
      ]) {
        const failing = tokens.get().catch((error: unknown) => error);
        await settle();
        source.refuse(thrown);
        const error = await failing;
        expect(error).toMatchObject({
          code: 'TOKEN_PROVIDER_ERROR',
          recoverable: true,
          retryAfterMs: undefined,
        });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
      }
    });

    it('for 10 s, and tells it when they are over', async () => {
      const late = expect(tokens.get()).rejects.toMatchObject({
        code: 'TOKEN_PROVIDER_TIMEOUT',
        recoverable: true,
      });
      await jest.advanceTimersByTimeAsync(9_999);
      expect(source.requests[0]?.signal.aborted).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await late;
      expect(source.requests[0]?.signal.aborted).toBe(true);
      source.answer('too late');
      expect((await getAnswered('t2')).value).toBe('t2');
    });

    it('never from within, so that a provider may call the client', async () => {
      const token = tokens.get();
      expect(source.requests).toHaveLength(0);
      tokens.set('mine');
      expect((await token).value).toBe('mine');
      expect(source.requests).toHaveLength(0);
    });

    it('no more once it throws StopRetrying, as far as the error goes', async () => {
      const failing = tokens.get();
      await settle();
      source.refuse(new StopRetrying());
      await expect(failing).rejects.toMatchObject({
        code: 'TOKEN_PROVIDER_ERROR',
        recoverable: false,
      });
    });

    it('and shows no token in what it throws', async () => {
      const token = await getAnswered('opaque-token-1');
      tokens.refused(token, 'rejected');
      const failing = tokens.get().catch((error: unknown) => error);
      await settle();
      const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
      source.refuse(
        Object.assign(new Error(`opaque-token-1, ${jwt}`), { config: { token: 'opaque-token-1' } }),
      );
      const error = await failing;
      expect(error).toMatchObject({ code: 'TOKEN_PROVIDER_ERROR', recoverable: true });
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).toContain('[redacted], [redacted]');
      expect(shown).not.toMatch(/opaque-token-1|eyJ/);
    });
  });

  describe('renews ahead of the end', () => {
    it.each([
      [HOUR_MS, 60_000],
      [100_000, 20_000],
    ])('a token that lives %d ms when %d ms are left', async (lifeMs, leftMs) => {
      await getAccepted('t1', lifeMs);
      await jest.advanceTimersByTimeAsync(lifeMs - leftMs - 1);
      expect(source.requests).toHaveLength(1);
      await jest.advanceTimersByTimeAsync(1);
      expect(source.asked[1]).toEqual(['expiring', 1]);
      expect((await tokens.get()).value).toBe('t1');
      source.answer('t2');
      await settle();
      expect(onRenewed).toHaveBeenCalledTimes(1);
      expect((await tokens.get()).value).toBe('t2');
    });

    it('earlier by up to a quarter, so that clients do not renew together', async () => {
      jest.spyOn(Math, 'random').mockReturnValue(0.999);
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 75_000);
      expect(source.requests).toHaveLength(1);
      await jest.advanceTimersByTimeAsync(100);
      expect(source.requests).toHaveLength(2);
    });

    it('by the whole life, also where a later stream begins in the middle of it', async () => {
      const token = await getAccepted('t1', 100_000);
      await jest.advanceTimersByTimeAsync(70_000);
      tokens.accepted(token, inMs(30_000));
      await jest.advanceTimersByTimeAsync(10_000);
      expect(source.requests).toHaveLength(2);
    });

    it('after more time than a timer can wait', async () => {
      const lifeMs = 2 ** 31 + HOUR_MS;
      await getAccepted('t1', lifeMs);
      await jest.advanceTimersByTimeAsync(lifeMs - 60_001);
      expect(source.requests).toHaveLength(1);
      await jest.advanceTimersByTimeAsync(1);
      expect(source.requests).toHaveLength(2);
    }, 60_000);

    it('soon after the machine has slept', async () => {
      await getAccepted('t1', HOUR_MS);
      // The clock of the timers stands still meanwhile.
      jest.setSystemTime(NOW + HOUR_MS - 50_000);
      await jest.advanceTimersByTimeAsync(30_000);
      expect(source.asked[1]).toEqual(['expiring', 1]);
    });

    it('no more once the token has ended in its sleep: who asks next gets the next one', async () => {
      await getAccepted('t1', HOUR_MS);
      jest.setSystemTime(NOW + HOUR_MS);
      await jest.advanceTimersByTimeAsync(30_000);
      expect(source.requests).toHaveLength(1);
      expect((await getAnswered('t2')).value).toBe('t2');
      expect(source.asked[1]).toEqual(['expired', 1]);
    });

    it('in time, although the clock was set back meanwhile', async () => {
      tokens.setServerTime(NOW - 500);
      await getAccepted('t1', HOUR_MS);
      jest.setSystemTime(NOW - 24 * HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      expect(source.requests).toHaveLength(2);
    });

    it.each([-24, 24])(
      'by the clock of the service, where this one is %d h wrong',
      async (hours) => {
        jest.setSystemTime(NOW + hours * HOUR_MS);
        const token = await getAnswered('t1');
        tokens.setServerTime(NOW - 500);
        tokens.accepted(token, new Date(NOW + HOUR_MS).toISOString());
        await jest.advanceTimersByTimeAsync(HOUR_MS - 60_001);
        expect(source.requests).toHaveLength(1);
        await jest.advanceTimersByTimeAsync(1);
        expect(source.requests).toHaveLength(2);
      },
    );

    it.each(['soon', '', new Date(NOW).toISOString(), '1999-01-01T00:00:00Z'])(
      'at the word of the service alone, where the end is %j',
      async (expiresAt) => {
        const token = await getAnswered('t1');
        tokens.accepted(token, expiresAt);
        expect(jest.getTimerCount()).toBe(0);
        await jest.advanceTimersByTimeAsync(HOUR_MS);
        tokens.renewAhead(token);
        await settle();
        expect(source.asked[1]).toEqual(['expiring', 1]);
      },
    );

    it('with 5 s between, however often the service says that the end is near', async () => {
      let token = await getAccepted('t0', 6_000);
      for (let i = 1; i <= 50; i++) {
        tokens.renewAhead(token);
        await jest.advanceTimersByTimeAsync(1_000);
        source.answer(`t${i}`);
        await settle();
        token = await tokens.get();
        tokens.accepted(token, inMs(6_000));
      }
      // The first one, and those at 0, 5, ... 50 s.
      expect(source.requests).toHaveLength(12);
    });

    it('in the background, again and again, until the token ends', async () => {
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      for (let seconds = 0; seconds < 60; seconds++) {
        expect((await tokens.get()).value).toBe('t1');
        source.refuse(new Error('down'));
        await jest.advanceTimersByTimeAsync(1_000);
      }
      expect(source.asked.slice(1).map(([, attempt]) => attempt)).toEqual(
        Array.from({ length: 12 }, (_, i) => i + 1),
      );
      expect(onRenewed).not.toHaveBeenCalled();
      expect(jest.getTimerCount()).toBe(0);
    });

    it('with longer and longer pauses after failures', async () => {
      jest.spyOn(Math, 'random').mockReturnValue(0.999);
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 74_000);
      const at = [];
      for (let seconds = 0; seconds < 74; seconds++) {
        if (source.requests.length > at.length + 1) at.push(seconds);
        source.refuse(new Error('down'));
        await jest.advanceTimersByTimeAsync(1_000);
      }
      expect(at).toEqual([0, 5, 10, 15, 20, 28, 44]);
    });

    it('not again before the source wants to be asked', async () => {
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      source.refuse(tokenFailure({ retryAfterMs: 30_000 }));
      await jest.advanceTimersByTimeAsync(29_999);
      expect(source.requests).toHaveLength(2);
      await jest.advanceTimersByTimeAsync(1);
      expect(source.asked[2]).toEqual(['expiring', 2]);
    });

    it('never again after StopRetrying, until the token is refused', async () => {
      const token = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      source.refuse(new StopRetrying());
      await settle();
      tokens.accepted(token, inMs(30_000));
      tokens.renewAhead(token);
      await jest.advanceTimersByTimeAsync(HOUR_MS);
      expect(source.requests).toHaveLength(2);
      expect(tokens.refused(token, 'expired')).toBe(true);
      expect((await getAnswered('t2')).value).toBe('t2');
    });

    it('again after StopRetrying with a token that was set', async () => {
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      source.refuse(new StopRetrying());
      await settle();
      tokens.set('t2');
      tokens.accepted(await tokens.get(), inMs(HOUR_MS));
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      expect(source.requests).toHaveLength(3);
    });

    it('once, also where a stream begins meanwhile with the token of before', async () => {
      const token = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.accepted(token, inMs(60_000));
      source.answer('t2');
      await settle();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(source.requests).toHaveLength(2);
    });

    it('again, where the source has given the token of now once more', async () => {
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      source.answer('t1');
      await settle();
      expect(onRenewed).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(source.asked[2]).toEqual(['expiring', 2]);
    });

    it('nothing where the source is for refusals alone, or has one token', async () => {
      manage(new ScriptedSource(false));
      const token = await getAccepted('t1', HOUR_MS);
      tokens.renewAhead(token);
      await jest.advanceTimersByTimeAsync(2 * HOUR_MS);
      expect((await tokens.get()).value).toBe('t1');
      expect(source.requests).toHaveLength(1);
      tokens = new TokenManager(new StaticToken('only'), onRenewed);
      tokens.accepted(await tokens.get(), inMs(HOUR_MS));
      expect(jest.getTimerCount()).toBe(0);
    });

    it('nothing while it rests, and calls off what is under way', async () => {
      const token = await getAccepted('t1', HOUR_MS);
      tokens.rest();
      expect(jest.getTimerCount()).toBe(0);
      tokens.accepted(token, inMs(HOUR_MS));
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.rest();
      expect(source.requests[1]?.signal.aborted).toBe(true);
      expect(jest.getTimerCount()).toBe(0);
      source.answer('t2');
      await settle();
      expect(onRenewed).not.toHaveBeenCalled();
      expect((await tokens.get()).value).toBe('t1');
    });

    it('a token that ended while it rested when it is asked for, to resume', async () => {
      await getAccepted('t1', HOUR_MS);
      tokens.rest();
      await jest.advanceTimersByTimeAsync(2 * HOUR_MS);
      expect((await getAnswered('t2')).value).toBe('t2');
      expect(source.asked[1]).toEqual(['resume', 1]);
    });

    it('a token that was not used in time, by the word of its source', async () => {
      await getAnswered('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS);
      expect((await getAnswered('t2')).value).toBe('t2');
      expect(source.asked[1]).toEqual(['expired', 1]);
    });

    it('no token that has just come, however old the source says it is', async () => {
      const token = await getAnswered('t1', -HOUR_MS);
      expect(await tokens.get()).toBe(token);
    });
  });

  describe('answers a refusal', () => {
    it.each(['expired', 'rejected'] as const)('as %s with one renewal', async (reason) => {
      const first = await getAnswered('t1');
      expect(tokens.refused(first, reason)).toBe(true);
      const second = await getAnswered('t2');
      expect(source.asked[1]).toEqual([reason, 1]);
      expect(tokens.refused(second, reason)).toBe(false);
    });

    it('with another renewal once a token was let in', async () => {
      tokens.refused(await getAnswered('t1'), 'rejected');
      const second = await getAnswered('t2');
      tokens.accepted(second, inMs(HOUR_MS));
      expect(tokens.refused(second, 'rejected')).toBe(true);
    });

    it('of an older token with the newer one', async () => {
      const first = await getAnswered('t1');
      tokens.refused(first, 'rejected');
      const second = await getAnswered('t2');
      expect(tokens.refused(first, 'rejected')).toBe(true);
      expect(await tokens.get()).toBe(second);
      expect(source.requests).toHaveLength(2);
    });

    it('with the request that is under way, and does not tell of its token', async () => {
      const first = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.refused(first, 'rejected');
      const second = await getAnswered('t2');
      expect(second.value).toBe('t2');
      expect(source.requests).toHaveLength(2);
      expect(onRenewed).not.toHaveBeenCalled();
      expect(tokens.refused(second, 'rejected')).toBe(false);
    });

    it('with a request of before that nobody is told of, since the next attempt asks for its token', async () => {
      const first = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.refused(first, 'rejected');
      source.answer('t2');
      await settle();
      expect(onRenewed).not.toHaveBeenCalled();
      expect((await tokens.get()).value).toBe('t2');
    });

    it('when the next token is asked for, not ahead of that', async () => {
      const token = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(10_000);
      tokens.refused(token, 'rejected');
      tokens.renewAhead(token);
      await jest.advanceTimersByTimeAsync(HOUR_MS);
      expect(source.requests).toHaveLength(1);
    });

    it('with another renewal, where the new token has run out before it could be used', async () => {
      tokens.refused(await getAnswered('t1'), 'rejected');
      const second = await getAnswered('t2');
      await jest.advanceTimersByTimeAsync(5_000);
      expect(tokens.refused(second, 'expired')).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      expect(tokens.refused(second, 'rejected')).toBe(false);
      expect(tokens.refused(second, 'expired')).toBe(true);
    });

    it.each([
      ['expired', false, 'TOKEN_PROVIDER_ERROR', true, 'the same token again, which has ended'],
      ['expired', true, 'TOKEN_PROVIDER_ERROR', true, 'the same token again, which has ended'],
      ['rejected', false, 'INVALID_TOKEN', false, 'the refused token again'],
    ] as const)(
      'as %s (at rest: %p) with %s, recoverable: %p, where the source has no other token',
      async (reason, isAtRest, code, recoverable, message) => {
        const token = await getAnswered('t1');
        if (isAtRest) tokens.rest();
        tokens.refused(token, reason);
        await expect(getAnswered('t1')).rejects.toMatchObject({
          code,
          recoverable,
          message: expect.stringContaining(message),
        });
        // Whoever wants it tried again gets another chance.
        expect((await getAnswered('t2')).value).toBe('t2');
      },
    );

    it('by asking once more, where the token of now came from a request of before the refusal', async () => {
      const first = await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.refused(first, 'rejected');
      await expect(getAnswered('t1')).rejects.toMatchObject({
        code: 'TOKEN_PROVIDER_ERROR',
        recoverable: true,
      });
      expect((await getAnswered('t2')).value).toBe('t2');
      expect(source.asked[2]).toEqual(['rejected', 2]);
    });

    it('as final, where there is one token alone, until the next one is set', async () => {
      tokens = new TokenManager(new StaticToken('t1'), onRenewed);
      const first = await tokens.get();
      expect(tokens.refused(first, 'expired')).toBe(false);
      expect(tokens.set('t1')).toBe(false);
      expect(tokens.set('t2')).toBe(true);
      const second = await tokens.get();
      expect(second.value).toBe('t2');
      expect(tokens.refused(first, 'expired')).toBe(true);
      expect(tokens.refused(second, 'expired')).toBe(false);
    });

    it('of a token that ended while it rested as one to resume', async () => {
      const token = await getAccepted('t1', HOUR_MS);
      tokens.rest();
      tokens.refused(token, 'expired');
      await getAnswered('t2');
      expect(source.asked[1]).toEqual(['resume', 1]);
    });
  });

  describe('takes a token that is set', () => {
    it.each([0, 1, 2, 3, 4, 5, 6])('over one whose answer came %d turns before', async (turns) => {
      const asked = tokens.get();
      await settle();
      source.answer('old');
      for (let i = 0; i < turns; i++) await null;
      tokens.set('new');
      expect(['old', 'new']).toContain((await asked).value);
      expect((await tokens.get()).value).toBe('new');
    });

    it('for those who wait, and calls off the request', async () => {
      const asked = tokens.get();
      await settle();
      tokens.set('new');
      expect(source.requests[0]?.signal.aborted).toBe(true);
      expect((await asked).value).toBe('new');
    });

    it('over a renewal ahead of time, which is told to nobody', async () => {
      await getAccepted('t1', HOUR_MS);
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      tokens.set('t2');
      source.answer('late');
      await settle();
      expect(onRenewed).not.toHaveBeenCalled();
      expect((await tokens.get()).value).toBe('t2');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('and asks the source before it ends', async () => {
      await getAnswered('t1');
      tokens.set('t2');
      tokens.accepted(await tokens.get(), inMs(HOUR_MS));
      await jest.advanceTimersByTimeAsync(HOUR_MS - 60_000);
      expect(source.asked[1]).toEqual(['expiring', 1]);
    });

    it('with another chance: its refusal is answered with a renewal', async () => {
      tokens.refused(await getAnswered('t1'), 'rejected');
      tokens.refused(await getAnswered('t2'), 'rejected');
      tokens.set('t3');
      expect(tokens.refused(await tokens.get(), 'rejected')).toBe(true);
    });

    it('and is not confused by what it hears of the one before', async () => {
      const first = await getAnswered('t1');
      tokens.set('t2');
      tokens.accepted(first, inMs(HOUR_MS));
      tokens.renewAhead(first);
      await settle();
      expect(jest.getTimerCount()).toBe(0);
      expect(source.requests).toHaveLength(1);
    });
  });

  it('calls off what is under way when it is closed, and forgets the token', async () => {
    const pending = tokens.get();
    await settle();
    tokens.close();
    await expect(pending).rejects.toMatchObject({ code: 'CLOSED' });
    expect(source.requests[0]?.signal.aborted).toBe(true);
    expect(inspect(tokens, { depth: 9, showHidden: true })).not.toContain('t1');
  });
});
