import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { tokenHashOf } from '../../server/gate/token/token-hash.js';
import { openStream, tryToPublish } from '../support/nodes.js';
import { numbered, WORKSPACE } from '../support/playground.js';
import { Service } from '../support/service.js';
import { addServiceAccount, runSluice, tokenOfAccount } from '../support/service-account.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';
import { ROOT, readDocument } from './markdown.js';
import { blockOf, Operator, runMarks, unmarkedBlocks } from './operator.js';

const TEST_DEADLINE_MS = 90_000;
const ALL_MARKS = [
  'accounts',
  'accounts-end',
  'backup',
  'capacity',
  'keys',
  'leak',
  'log-faults',
  'log-token',
  'look',
  'redis',
  'restore',
  'revoke',
  'revoke-all',
  'rolling',
  'rules',
];

/** A node with its own log and issuer, and somebody at its shell. */
interface StartedNode extends AsyncDisposable {
  readonly service: Service;
  readonly operator: Operator;
}

async function startNode(): Promise<StartedNode> {
  const service = await Service.start({ env: { OPS_PORT: '0', LOG_LEVEL: 'info' } });
  const operator = await Operator.open({
    env: { SLUICE_URL: service.url, OPS: service.opsUrl, DATA_DIR: service.dataDir },
    machines: {
      systemctl: (action) => (action === 'stop' ? service.stop('SIGTERM') : service.start()),
    },
  });
  const dispose = async () => {
    await operator[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  };
  return { service, operator, [Symbol.asyncDispose]: dispose };
}

async function tokenOf(service: Service, subject: string): Promise<string> {
  const about = ['--subject', subject, '--permissions', 'realtime:subscribe,realtime:publish'];
  return (await runSluice(['token', '--workspace', WORKSPACE, ...about], service)).trim();
}

/** How a publish with a token is answered. */
async function answerTo(service: Service, token: string): Promise<number | string> {
  const { status, code } = await tryToPublish(service.url, token, numbered(1, 1));
  return code ?? status;
}

function jtiOf(token: string): string {
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return (JSON.parse(claims) as { jti: string }).jti;
}

describeWith('jq', 'docs/operations.md', () => {
  // One after the other at the same node, as an operator's day goes.
  let node: StartedNode;
  beforeAll(async () => {
    node = await startNode();
  }, TEST_DEADLINE_MS);
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
  });

  it('has its commands run by the tests below, or says that they are not', () => {
    expect(unmarkedBlocks()).toEqual([]);
    expect([...runMarks()].sort()).toEqual(ALL_MARKS);
  });

  it('links to sections that it has', () => {
    const page = readDocument('docs/operations.md');
    const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => anchorOf(title));
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !anchors.includes(link ?? ''))).toEqual([]);
  });

  it(
    'looks at a node',
    async () => {
      const seen = await node.operator.run(blockOf('look'));
      expect(seen).toContain('{"status":"alive"}');
      expect(seen).toContain('{"status":"ready"}');
      expect(seen).toMatch(/^sluice_streams 0$/m);
      const capacity = await node.operator.run(blockOf('capacity'));
      expect(capacity).toMatch(/^process_max_fds \d+$/m);
      expect(capacity).toMatch(/^sluice_streams 0$/m);
    },
    TEST_DEADLINE_MS,
  );

  it(
    'rotates keys, and makes all tokens invalid after a leak',
    async () => {
      const { service, operator } = node;
      const before = await tokenOf(service, 'alice');
      const listed = await operator.run(blockOf('keys'));
      expect(listed).toContain('"state":"next"');
      expect(listed).toContain('"state":"signing"');
      expect(await answerTo(service, before)).toBe(201);

      await operator.run(blockOf('leak'));
      const keys = (await runSluice(['keys', 'list'], service)).trim().split('\n');
      expect(keys).toEqual([expect.stringContaining('"state":"signing"')]);
      await until(
        'it is refused',
        async () => (await answerTo(service, before)) === 'INVALID_TOKEN',
      );
      const after = await tokenOf(service, 'alice');
      await until('a new one is good', async () => (await answerTo(service, after)) === 201);
    },
    TEST_DEADLINE_MS,
  );

  it(
    'rotates the secret of a service account, without a moment in which it has none',
    async () => {
      const { service, operator } = node;
      const old = await addServiceAccount('billing', service);
      const printed = await operator.run(blockOf('accounts'));
      const added = /^client_secret=(.+)$/m.exec(printed)?.[1] ?? '';
      for (const secret of [old, added]) await tokenOfAccount('billing', secret, service);
      await operator.run(blockOf('accounts-end'));
      await until('the old one is refused', () =>
        tokenOfAccount('billing', old, service).then(
          () => false,
          () => true,
        ),
      );
      const { token } = await tokenOfAccount('billing', added, service);
      expect(await answerTo(service, token)).toBe(201);
    },
    TEST_DEADLINE_MS,
  );

  it(
    'makes a copy of the embedded log and goes back to it, and whoever was further is told',
    async () => {
      const { service, operator } = node;
      const token = await tokenOf(service, 'alice');
      const first = await tryToPublish(service.url, token, numbered(1, 3));
      const env = { BACKUP: join(operator.folder, 'copy.tar.gz') };
      await operator.run(blockOf('backup'), env);
      const last = (await tryToPublish(service.url, token, numbered(4, 5))).cursors[1] ?? '';

      await writeFile(join(service.dataDir, 'of-later'), '');

      await operator.run(blockOf('restore'), env);
      expect(await readdir(service.dataDir)).not.toContain('of-later');
      using ahead = await openStream(service, token, { lastEventId: last });
      expect((await ahead.next('stream.gap')).data).toMatchObject({ reason: 'ahead' });
      const [epoch, offset] = (first.cursors[0] ?? '').split('-');
      const before = `${epoch}-${Number(offset) - 1}`;
      using replay = await openStream(service, token, { lastEventId: before });
      for (const cursor of first.cursors) expect((await replay.next('message')).id).toBe(cursor);
      // Of what the page warns: the offset is given out again.
      const again = await tryToPublish(service.url, token, numbered(6, 7));
      expect(again.cursors[1]).toBe(last);
    },
    TEST_DEADLINE_MS,
  );

  it(
    'revokes a stolen token, and ends the stream that it opened',
    async () => {
      const { service, operator } = node;
      const [stolen, other] = [await tokenOf(service, 'mallory'), await tokenOf(service, 'bob')];
      using stream = await openStream(service, stolen);
      await stream.next('stream.connected');

      const env = { STOLEN: stolen, JTI: jtiOf(stolen) };
      const printed = await operator.run(blockOf('revoke'), env);
      expect(printed).toContain(`"jti": "${jtiOf(stolen)}"`);
      expect(printed).toContain(`\n${tokenHashOf(stolen)}\n`);
      expect(printed).toContain(`{"revocation":{"jti":"${jtiOf(stolen)}"`);
      expect(printed).toContain('{"revocation":{"sub":"alice"');
      expect(printed).toContain('{"revocation":{"client_id":"billing"');
      expect((await stream.next('stream.error')).data).toMatchObject({ code: 'INVALID_TOKEN' });
      expect(await answerTo(service, stolen)).toBe('INVALID_TOKEN');
      expect(await answerTo(service, other)).toBe(201);
      await expectInLog(node, tokenHashOf(stolen));

      await operator.run(blockOf('revoke') + blockOf('revoke-all'), env);
      expect(await answerTo(service, other)).toBe('INVALID_TOKEN');
    },
    TEST_DEADLINE_MS,
  );
});

/** What was done with a token stands in the log, by its hash. */
async function expectInLog({ service, operator }: StartedNode, hash: string): Promise<void> {
  const journal = join(operator.folder, 'journal');
  const lines = [...service.stdout.items, ...service.stderr.items];
  await writeFile(journal, `${lines.join('\n')}\n`);
  const env = { JOURNAL: journal, HASH: hash };
  const found = (await operator.run(blockOf('log-token'), env)).trim().split('\n');
  expect(found.length).toBeGreaterThan(1);
  for (const line of found) expect(line).toContain(`"tokenHash":"${hash}"`);
  await operator.run(blockOf('log-faults'), env);
}

/** As Markdown viewers make it of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

describeWith('promtool', 'docs/operations.md, for Prometheus', () => {
  it('has rules that are still good when the address of the page is put in', async () => {
    await using operator = await Operator.open({ env: {} });
    await cp(join(ROOT, 'ops/prometheus'), operator.folder, { recursive: true });
    expect(await operator.run(blockOf('rules'))).toContain('SUCCESS');
    expect(await operator.run('grep -c wiki.example.net alerts.yml')).toMatch(/^\d\d/);
  });
});
