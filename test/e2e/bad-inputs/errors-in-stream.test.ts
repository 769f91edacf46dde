import { describe, expect, it } from '@jest/globals';
import type { ServiceErrorCode } from '@sluice/protocol';
import { EVENTS, inHeader, useDoor } from '../../support/bad-input-table.js';
import { RawStream } from '../../support/raw-http.js';
import { inSeconds } from '../../support/tokens.js';

const door = useDoor();

describe('the stream', () => {
  const refusals: readonly (readonly [ServiceErrorCode, () => string])[] = [
    ['MISSING_TOKEN', () => ''],
    ['TOKEN_EXPIRED', () => door.issuer.mint({ exp: inSeconds(-10) })],
    ['INVALID_TOKEN', () => 'x.y.z'],
    ['WORKSPACE_MISMATCH', () => door.issuer.mint({ workspace: 'other' })],
    ['FORBIDDEN', () => door.issuer.mint({ permissions: [] })],
  ];
  it.each(refusals)(
    'tells %s in the stream where it is asked to, and to stay away',
    async (code, token) => {
      const query = token() === '' ? 'errors=stream' : `errors=stream&access_token=${token()}`;
      using stream = await RawStream.open({ port: door.service.port, path: `${EVENTS}?${query}` });
      expect((await stream.head).status).toBe(200);
      expect((await stream.head).headers.get('content-type')?.[0]).toBe('text/event-stream');
      expect(await stream.next()).toMatchObject({ event: 'stream.error', data: { code } });
      expect(stream.received.items).toContainEqual({ kind: 'retry', ms: 2_147_483_647 });
      await expect(stream.ended).resolves.toBeDefined();
    },
  );

  it('43. ends a stream at the end of its token, and says so', async () => {
    const exp = inSeconds(2);
    using stream = await RawStream.open({
      port: door.service.port,
      path: EVENTS,
      ...inHeader(door.issuer.mint({ exp })),
    });
    const warning = await stream.next('stream.token_expiring');
    expect(warning.data).toEqual({ expiresAt: new Date(exp * 1_000).toISOString() });
    const error = await stream.next('stream.error');
    const late = Date.now() / 1_000 - exp;
    expect(error.data).toMatchObject({ code: 'TOKEN_EXPIRED', recoverable: true });
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(1);
    await expect(stream.ended).resolves.toBeDefined();
    expect(stream.received.items.filter(({ kind }) => kind === 'retry').at(-1)).toEqual({
      kind: 'retry',
      ms: 2_147_483_647,
    });
  });
});
