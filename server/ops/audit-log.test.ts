import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import type { DecisionRecord } from '../gate/audit.js';
import { openAuditLog } from './audit-log.js';
import { type Log, silentLog } from './log.js';

const DECISION: DecisionRecord = {
  kind: 'decision',
  requestId: 'r1',
  workspace: 'acme',
  subject: 'alice',
  issuer: 'https://issuer.test',
  clientId: null,
  tokenId: 'jti-1',
  permission: 'realtime:subscribe',
  topics: ['orders'],
  checker: 'claims',
  outcome: 'ok',
  granted: null,
  durationMs: 1,
};

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  path = join(folder, 'audit.log');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function recorded(...records: DecisionRecord[]): Promise<string> {
  const audit = await openAuditLog(path, silentLog);
  for (const record of records) audit.record(record);
  await audit.close();
  return readFile(path, 'utf8');
}

describe('the audit log', () => {
  it('holds one JSON object a line, with the time', async () => {
    const lines = (await recorded(DECISION, { ...DECISION, outcome: 'FORBIDDEN' })).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('');
    const [first, second] = lines.slice(0, 2).map((line) => JSON.parse(line));
    expect(first).toEqual({
      log: 'audit',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      ...DECISION,
    });
    expect(second).toMatchObject({ outcome: 'FORBIDDEN' });
  });

  it('tells of revocations', async () => {
    const audit = await openAuditLog(path, silentLog);
    const { subject, issuer, clientId, tokenId, requestId, workspace } = DECISION;
    audit.record({
      kind: 'revocation',
      requestId,
      workspace,
      subject,
      issuer,
      clientId,
      tokenId,
      revoked: { sub: 'bob', all: false },
    });
    await audit.close();
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      kind: 'revocation',
      revoked: { sub: 'bob', all: false },
    });
  });

  it.each([
    ['a line end', 'a\n{"log":"audit","outcome":"ok"}\r\nb'],
    ['a line end of Unicode', 'a\u2028b\u2029c\u0085d'],
    ['what a terminal acts upon', '\u001b[2J\u009b31m\u007f\b\u0000'],
    ['another direction', 'a\u202edcba\u2066'],
    ['half a character', 'a\ud800b'],
    ['quotes', '","outcome":"ok","x":"\\'],
  ])('cannot be forged by a name with %s', async (_, subject) => {
    const text = await recorded({ ...DECISION, subject, outcome: 'FORBIDDEN' });
    expect(text).toMatch(/^[^\p{Cc}\u2028\u2029\p{Bidi_Control}]+\n$/u);
    expect(JSON.parse(text)).toMatchObject({ subject, outcome: 'FORBIDDEN' });
  });

  it('is not blown up by what callers send', async () => {
    const long = 'x'.repeat(100_000);
    const topics = Array.from({ length: 10_000 }, () => long);
    const text = await recorded({ ...DECISION, subject: long, topics });
    expect(text.length).toBeLessThan(60_000);
    const { subject, topics: kept } = JSON.parse(text) as { subject: string; topics: string[] };
    expect(subject).toBe(`${'x'.repeat(512)}…`);
    expect(kept).toHaveLength(101);
    expect(kept.at(-1)).toBe('… and 9900 more');
  });

  it('is nowhere where it is off', async () => {
    const audit = await openAuditLog('off', silentLog);
    audit.record(DECISION);
    await audit.close();
    await expect(readFile('off')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('must be somewhere where it is wanted', async () => {
    await expect(openAuditLog(join(folder, 'nowhere', 'audit.log'), silentLog)).rejects.toThrow(
      'cannot be opened (ENOENT): see AUDIT_LOG',
    );
    await expect(openAuditLog(folder, silentLog)).rejects.toThrow('(EISDIR)');
  });

  it('tells the log when it cannot be written, and nobody else', async () => {
    const told = new Inbox<object>('a line of the log');
    const log: Log = { ...silentLog, error: (fields, message) => told.push({ fields, message }) };
    const audit = await openAuditLog('/dev/full', log);
    audit.record(DECISION);
    audit.record(DECISION);
    await told.atLeast(1);
    await audit.close();
    expect(told.items).toEqual([
      { fields: { cause: expect.anything() }, message: 'the audit log cannot be written' },
    ]);
  }, 10_000);
});
