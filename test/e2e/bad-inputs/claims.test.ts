import { describe, expect, it } from '@jest/globals';
import { inHeader, itServesOn, type Row, table, useDoor } from '../../support/bad-input-table.js';
import { Service } from '../../support/service.js';
import { inSeconds } from '../../support/tokens.js';

const door = useDoor();

table(door, 'the claims', [
  ...[undefined, '9999999999', -1, null, [9_999_999_999], true].map(
    (exp): Row => ({
      what: `25. exp ${JSON.stringify(exp)}`,
      ask: door.withClaims({ exp }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '25. exp 1e999',
    ask: door.withToken(() =>
      door.signed(
        {},
        Buffer.from(JSON.stringify({ ...door.claims(), exp: 0 }).replace('"exp":0', '"exp":1e999')),
      ),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '25. exp in milliseconds',
    ask: () => inHeader(door.issuer.mint({ exp: Date.now() + 60_000 })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '25. exp further ahead than a token may live',
    ask: () => inHeader(door.issuer.mint({ exp: inSeconds(90_000) })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '25. exp near, of a token that lives for more than a day',
    ask: () => inHeader(door.issuer.mint({ iat: inSeconds(-90_000), exp: inSeconds(60) })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '26. exp past',
    ask: () => inHeader(door.issuer.mint({ exp: inSeconds(-10) })),
    code: 'TOKEN_EXPIRED',
  },
  {
    // The tolerance is for requests: a stream would end at once.
    what: '26. exp past, within the tolerance, for a stream',
    ask: () => inHeader(door.issuer.mint({ exp: inSeconds(-1) })),
    code: 'TOKEN_EXPIRED',
  },
  {
    what: '26. exp past, and of another issuer',
    ask: () => inHeader(door.issuer.mint({ exp: inSeconds(-10), iss: 'x' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '27. nbf ahead',
    ask: () => inHeader(door.issuer.mint({ nbf: inSeconds(30) })),
    code: 'INVALID_TOKEN',
  },
  ...['nbf', 'iat'].map(
    (name): Row => ({
      what: `27. ${name} as a text`,
      ask: door.withClaims({ [name]: String(inSeconds(-60)) }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '27. iat ahead',
    ask: door.withToken(() => door.signed({}, { ...door.claims(), iat: inSeconds(30) })),
    code: 'INVALID_TOKEN',
  },
  ...['https://evil.test', undefined, ['https://door.issuer.test']].map(
    (iss): Row => ({
      what: `28. iss ${JSON.stringify(iss)}`,
      ask: door.withClaims({ iss }),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...['other', undefined, { a: 'sluice-test' }, [['sluice-test']], []].map(
    (aud): Row => ({
      what: `28. aud ${JSON.stringify(aud)}`,
      ask: door.withClaims({ aud }),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...[undefined, '', 7, ['alice']].map(
    (sub): Row => ({
      what: `29. sub ${JSON.stringify(sub)}`,
      ask: door.withClaims({ sub }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '30. no workspace',
    ask: door.withClaims({ workspace: undefined }),
    code: 'WORKSPACE_MISMATCH',
  },
  ...[{ name: 'acme' }, [['acme']], 7].map(
    (workspace): Row => ({
      what: `30. workspace ${JSON.stringify(workspace)}`,
      ask: door.withClaims({ workspace }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '30. workspaces with a list inside',
    ask: door.withClaims({ workspace: undefined, workspaces: [['acme']] }),
    code: 'INVALID_TOKEN',
  },
  {
    what: '31. workspace under __proto__',
    ask: door.withToken(() =>
      door.signed(
        {},
        Buffer.from(
          `{"__proto__":{"workspace":"acme"},${JSON.stringify({ ...door.claims(), workspace: undefined }).slice(1)}`,
        ),
      ),
    ),
    code: 'WORKSPACE_MISMATCH',
  },
  {
    what: '31. workspace under constructor',
    ask: door.withClaims({ workspace: undefined, constructor: { workspace: 'acme' } }),
    code: 'WORKSPACE_MISMATCH',
  },
  { what: '32. workspace *', ask: door.withClaims({ workspace: '*' }), code: 'WORKSPACE_MISMATCH' },
  {
    what: '32. another case of the name',
    ask: door.withClaims({ workspace: 'Acme' }),
    code: 'WORKSPACE_MISMATCH',
  },
  { what: '39. no permission', ask: door.withClaims({ permissions: [] }), code: 'FORBIDDEN' },
  {
    what: '39. a permission that is no list',
    ask: door.withClaims({ permissions: 'realtime:subscribe' }),
    code: 'FORBIDDEN',
  },
]);

describe('the service', () => {
  it('33. does not start with a clock tolerance that is not a number', async () => {
    const start = Service.start({ env: { CLOCK_TOLERANCE_SECONDS: '5s' } });
    await expect(start).rejects.toThrow(/CLOCK_TOLERANCE_SECONDS must be a whole number/);
  });
});

itServesOn(door);
