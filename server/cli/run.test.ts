import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { problemOf } from '@sluice/protocol';
import jsonwebtoken from 'jsonwebtoken';
import { openClientStore } from '../issuer/client-store.js';
import { openIssuer } from '../issuer/issuer.js';
import { createPublishCommand } from './publish-command.js';
import { run } from './run.js';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Runs one command line as a shell would, and collects what it says. */
async function sluice(
  args: readonly string[],
  { env = {}, stdin = '', signal = new AbortController().signal } = {},
) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await run(args, {
    env: { DATA_DIR: dataDir, ...env },
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout,
    stderr,
    signal,
  });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

/** What a command may touch, with nobody at the other ends. */
const contextOf = () => ({
  stdin: Readable.from([]),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  signal: new AbortController().signal,
});

const IDENTITY_PROVIDER = {
  JWKS_URI: 'https://id.example/jwks',
  TOKEN_ISSUER: 'https://id.example',
  TOKEN_AUDIENCE: 'sluice',
};

describe('sluice', () => {
  it('lists its commands', async () => {
    const { code, stdout, stderr } = await sluice(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of ['token', 'listen', 'publish', 'clients', 'keys']) {
      expect(stdout).toContain(name);
    }
  });

  it('lists its commands, and tells how to use one of them, when it is asked for help', async () => {
    expect(await sluice(['help'])).toEqual(await sluice(['--help']));
    expect(await sluice(['help', 'token'])).toEqual(await sluice(['token', '--help']));
  });

  it('tells its version', async () => {
    const manifest = join(import.meta.dirname, '..', 'package.json');
    const { version } = JSON.parse(await readFile(manifest, 'utf8'));
    expect(await sluice(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each(['token', 'listen', 'publish', 'clients', 'keys'])(
    'tells how to use %s',
    async (name) => {
      const { code, stdout } = await sluice([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: sluice ${name} `);
    },
  );

  it.each([
    [[], 'no command was given'],
    [['subscribe'], 'there is no command "subscribe"'],
    [['token', '--subject', 'alice'], '--workspace is missing'],
    [['token', '--workspace', 'a b'], '--workspace must be'],
    [['token', '--workspace', 'acme', '--subject', ''], '--subject is missing'],
    [['listen', '--workspace', 'a', '--workspace', 'b'], '--workspace is given more than once'],
    [['listen', '--workspace', 'a', '--token', 'x'], "Unknown option '--token'"],
    [['listen', '--workspace', 'a', '--from', 'yesterday'], '--from is not a cursor'],
    [['listen', '--workspace', 'a', '--count', '0'], '--count must be a whole number'],
    [['listen', '--workspace', 'a', '--url', 'ftp://x'], '--url must be'],
    [['publish', '--workspace', 'a', '--topic', 't'], '--type is missing'],
    [['listen', '--workspace', 'a', '--topics', ''], '--topics has an empty item'],
    [['listen', '--workspace', 'a', '--topics', 'orders,,user'], '--topics has an empty item'],
    [['listen', '--workspace', 'a', '--types', 'a, '], '--types has an empty item'],
    [['publish', '--data', '-1'], 'one that begins with a dash is given as --data=-1'],
    [['help', 'subscribe'], 'there is no command "subscribe"'],
    [['publish', '--topic'], "'--topic <value>' argument missing"],
    [['clients'], 'one of add, list and remove'],
    [['clients', 'list', 'all'], "Unexpected argument 'all'"],
    [['clients', 'add-secret'], '--id is missing'],
    [['clients', 'remove-secret', '--id', 'a'], 'either --secret-id or --older'],
    [
      ['clients', 'remove-secret', '--id', 'a', '--secret-id', 'b', '--older'],
      'either --secret-id or --older',
    ],
    [['keys'], 'one of list, rotate and retire'],
    [['keys', 'rotate', '--signs-in', '-1'], '--signs-in=-1'],
    [['keys', 'rotate', '--signs-in', '2592001'], '--signs-in must be a whole number'],
    [['keys', 'retire', '--even-if-tokens-live=yes'], 'does not take an argument'],
  ])('refuses %j with exit code 2 and one line', async (args, fault) => {
    const { code, stdout, stderr } = await sluice(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(fault);
    expect(stderr).toMatch(/^sluice: [^\n]+; see sluice [^\n]*--help\n$/);
  });
});

describe('sluice token', () => {
  const ARGS = ['token', '--workspace', 'acme', '--subject', 'alice', '--permissions'];

  it('prints the token alone', async () => {
    const { code, stdout, stderr } = await sluice([
      ...ARGS,
      'realtime:subscribe, realtime:publish',
    ]);
    expect(code).toBe(0);
    expect(stderr).toBe(`sluice: made new keys in ${dataDir}; the service must use them too\n`);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const claims = jsonwebtoken.decode(stdout.trim(), { json: true });
    expect(claims).toMatchObject({
      iss: 'urn:sluice:embedded',
      aud: 'sluice',
      sub: 'alice',
      workspace: 'acme',
      permissions: ['realtime:subscribe', 'realtime:publish'],
    });
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(3_600);
  });

  it('says nothing of keys that were there', async () => {
    await sluice([...ARGS, 'realtime:subscribe']);
    expect(await sluice([...ARGS, 'realtime:subscribe'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('names every setting that it reads', async () => {
    const { stdout } = await sluice(['token', '--help']);
    expect(stdout).toContain('TOKEN_MAX_LIFETIME_SECONDS');
  });

  it('takes several workspaces, a lifetime, and the settings of the service', async () => {
    const { stdout } = await sluice(
      [...ARGS, 'realtime:subscribe', '--workspace', 'other', '--expires-in', '30'],
      { env: { TOKEN_ISSUER: 'urn:own', TOKEN_AUDIENCE: 'own', WORKSPACE_CLAIM: 'org' } },
    );
    const claims = jsonwebtoken.decode(stdout.trim(), { json: true });
    expect(claims).toMatchObject({ iss: 'urn:own', aud: 'own', orgs: ['acme', 'other'] });
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(30);
  });

  it.each([
    [['everything'], {}, '--permissions must list some of realtime:subscribe'],
    [['realtime:publish', '--expires-in', '86401'], {}, 'from 1 to 86400'],
    [
      ['realtime:publish', '--expires-in', '61'],
      { TOKEN_MAX_LIFETIME_SECONDS: '60' },
      'TOKEN_MAX_LIFETIME_SECONDS is 60',
    ],
  ])('refuses %j', async (args, env, fault) => {
    const { code, stdout, stderr } = await sluice([...ARGS, ...args], { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(fault);
  });

  it('leaves tokens to the identity provider where there is one', async () => {
    const { code, stderr } = await sluice([...ARGS, 'realtime:publish'], {
      env: IDENTITY_PROVIDER,
    });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'sluice: the settings name another issuer, so tokens and clients come from there, not from Sluice\n',
    );
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('names every fault of the configuration in one line', async () => {
    const env = { PORT: 'x', LOG_LEVEL: 'loud' };
    const { code, stderr } = await sluice([...ARGS, 'realtime:publish'], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^sluice: the configuration is not valid: PORT [^\n]+; LOG_LEVEL [^\n]+\n$/,
    );
  });
});

describe('sluice clients', () => {
  const ADD = ['clients', 'add', '--id', 'backend', '--workspace', 'acme', '--permissions'];

  it('adds a client whose secret works, lists it, and removes it', async () => {
    const added = await sluice([...ADD, 'realtime:publish']);
    expect(added).toMatchObject({ code: 0 });
    const [, secret = ''] =
      /^client_id=backend\nclient_secret=(scs_[\w-]{43})\n$/.exec(added.stdout) ?? [];
    const clients = await openClientStore({ dataDir });
    expect(await clients.authenticate('backend', secret)).toMatchObject({ id: 'backend' });

    const { stdout } = await sluice(['clients', 'list']);
    expect(JSON.parse(stdout)).toEqual({
      id: 'backend',
      workspaces: ['acme'],
      permissions: ['realtime:publish'],
      createdAt: expect.any(String),
      secrets: [{ id: expect.any(String), createdAt: expect.any(String) }],
    });

    expect(await sluice(['clients', 'remove', '--id', 'backend'])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'sluice: removed; its tokens live until they expire\n',
    });
    expect(await clients.authenticate('backend', secret)).toBeNull();
  });

  it('adds a second secret, and removes one of the two', async () => {
    await sluice([...ADD, 'realtime:publish']);
    const added = await sluice(['clients', 'add-secret', '--id', 'backend']);
    expect(added.code).toBe(0);
    const [, id = '', secret = ''] =
      /^client_id=backend\nsecret_id=(\w+)\nclient_secret=(scs_[\w-]{43})\n$/.exec(added.stdout) ??
      [];
    const clients = await openClientStore({ dataDir });
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
    expect(await sluice(['clients', 'add-secret', '--id', 'backend'])).toMatchObject({
      code: 1,
      stderr: 'sluice: the client has two secrets already; remove the older one first\n',
    });

    const remove = ['clients', 'remove-secret', '--id', 'backend'];
    expect(await sluice([...remove, '--older'])).toMatchObject({ code: 0, stdout: '' });
    expect(await clients.authenticate('backend', secret)).not.toBeNull();
    expect(await sluice([...remove, '--secret-id', id])).toMatchObject({
      code: 1,
      stderr: 'sluice: it is the only secret of the client\n',
    });
  });

  it('adds no secret where there is no client', async () => {
    expect(await sluice(['clients', 'add-secret', '--id', 'x'])).toMatchObject({
      code: 1,
      stderr: `sluice: there is no client "x" in ${dataDir}\n`,
    });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('makes nothing where it only looks', async () => {
    const elsewhere = join(dataDir, 'elsewhere');
    const env = { DATA_DIR: elsewhere };
    expect(await sluice(['clients', 'list'], { env })).toEqual({
      code: 0,
      stdout: '',
      stderr: `sluice: there are no clients in ${elsewhere}\n`,
    });
    expect(await sluice(['clients', 'remove', '--id', 'x'], { env })).toEqual({
      code: 1,
      stdout: '',
      stderr: `sluice: there is no client "x" in ${elsewhere}\n`,
    });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('fails in plain words', async () => {
    expect(await sluice(['clients', 'remove', '--id', 'x'])).toMatchObject({
      code: 1,
      stderr: `sluice: there is no client "x" in ${dataDir}\n`,
    });
    await sluice([...ADD, 'realtime:publish']);
    expect(await sluice([...ADD, 'realtime:publish'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'sluice: the client exists already\n',
    });
    await writeFile(join(dataDir, 'issuer', 'clients.json'), '{');
    const { code, stderr } = await sluice(['clients', 'list']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: [^\n]+clients\.json is damaged[^\n]+\n$/);
  });
});

describe('sluice keys', () => {
  const linesOf = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('lists, rotates and retires, and shows no key', async () => {
    await openIssuer({ dataDir, issuer: 'i', audience: 'a', workspaceClaim: 'workspace' });
    const [first] = linesOf((await sluice(['keys', 'list'])).stdout);
    expect(first).toMatchObject({ state: 'signing', alg: 'RS256', retirableAt: null });

    const rotated = await sluice(['keys', 'rotate']);
    expect(rotated.code).toBe(0);
    const [second] = linesOf(rotated.stdout);
    expect(second).toMatchObject({ state: 'next' });
    expect(Date.parse(second.signsFrom) - Date.parse(second.createdAt)).toBe(60_000);
    expect(await sluice(['keys', 'rotate'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^sluice: the next key waits for its time already; /),
    });
    expect(await sluice(['keys', 'retire', `--kid=${first.kid}`])).toMatchObject({
      code: 1,
      stderr: 'sluice: the key signs; rotate first\n',
    });
    const { stdout } = await sluice(['keys', 'list']);
    expect(linesOf(stdout).map(({ kid, state }) => [kid, state])).toEqual([
      [first.kid, 'signing'],
      [second.kid, 'next'],
    ]);
    expect(stdout).not.toContain('"d"');
  });

  it('retires a key before its time only where it is told to', async () => {
    await openIssuer({ dataDir, issuer: 'i', audience: 'a', workspaceClaim: 'workspace' });
    const [first] = linesOf((await sluice(['keys', 'list'])).stdout);
    await sluice(['keys', 'rotate', '--signs-in', '0']);
    expect(await sluice(['keys', 'retire'])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'sluice: no key may be retired yet; see sluice keys list\n',
    });
    // A day and the tolerance of clocks after its last signature, by default.
    const [waiting] = linesOf((await sluice(['keys', 'list'])).stdout);
    const lifeMs = Date.parse(waiting.retirableAt) - Date.now();
    expect(lifeMs).toBeGreaterThan(86_400_000);
    expect(lifeMs).toBeLessThan(86_410_000);
    // One in 64 begins with a dash.
    const forced = ['keys', 'retire', `--kid=${first.kid}`, '--even-if-tokens-live'];
    expect(await sluice(forced)).toMatchObject({
      code: 0,
      stderr: `sluice: retired ${first.kid}\n`,
    });
    expect(linesOf((await sluice(['keys', 'list'])).stdout)).toHaveLength(1);
  });

  it('makes nothing where there is nothing', async () => {
    expect(await sluice(['keys', 'list'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `sluice: there are no keys in ${dataDir}\n`,
    });
    for (const action of ['rotate', 'retire']) {
      expect(await sluice(['keys', action])).toMatchObject({
        code: 1,
        stderr: 'sluice: there are no keys yet; the service makes them when it starts\n',
      });
    }
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('leaves keys to the identity provider where there is one', async () => {
    const { code, stderr } = await sluice(['keys', 'rotate'], { env: IDENTITY_PROVIDER });
    expect(code).toBe(1);
    expect(stderr).toContain('the settings name another issuer');
  });
});

describe('sluice publish', () => {
  const ARGS = ['publish', '--workspace', 'acme', '--topic', 'orders', '--type', 'order.created'];
  let service: Server;
  let env: Record<string, string>;
  let received: { url?: string | undefined; headers: IncomingHttpHeaders; body: unknown }[];
  let answer: { status: number; body: unknown };

  beforeEach(async () => {
    received = [];
    answer = { status: 201, body: { events: [{ id: 'e1', cursor: 'ABCDEFGH-1' }] } };
    service = createServer(async (request, response) => {
      const body = JSON.parse(await text(request));
      received.push({ url: request.url, headers: request.headers, body });
      response.writeHead(answer.status, { Location: '/elsewhere' });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const { port } = service.address() as AddressInfo;
    env = { SLUICE_URL: `http://127.0.0.1:${port}/sluice/`, SLUICE_TOKEN: 'the-token' };
  });
  afterEach(async () => {
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
  });

  it('sends the event with its token and prints the cursor', async () => {
    const more = ['--data', '{"n":1}', '--id', 'e1', '--subject', 's', '--idempotency-key', 'k'];
    const outcome = await sluice([...ARGS, ...more], { env });
    expect(outcome).toEqual({ code: 0, stdout: 'ABCDEFGH-1\n', stderr: '' });
    expect(received).toEqual([
      {
        url: '/sluice/realtime/workspace/acme/events',
        headers: expect.objectContaining({
          authorization: 'Bearer the-token',
          'content-type': 'application/json',
          'idempotency-key': 'k',
        }),
        body: { topic: 'orders', type: 'order.created', id: 'e1', subject: 's', data: { n: 1 } },
      },
    ]);
  });

  it('reads the data from stdin, and the token from a file', async () => {
    const file = join(dataDir, 'token');
    await writeFile(file, 'of-the-file\n');
    const args = [...ARGS, '--data', '-', '--token-file', file];
    expect(await sluice(args, { env, stdin: '["ä"]' })).toMatchObject({ code: 0 });
    expect(received).toMatchObject([
      { headers: { authorization: 'Bearer of-the-file' }, body: { data: ['ä'] } },
    ]);
  });

  it('tells code and detail of a refusal, whatever they would do to a terminal', async () => {
    const detail = 'no\u001b[31m\nentry';
    answer = { status: 403, body: problemOf('FORBIDDEN', { requestId: 'r', detail }) };
    expect(await sluice(ARGS, { env })).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sluice: FORBIDDEN: no [31m entry\n',
    });
  });

  it.each([
    [502, '<html>', 'HTTP 502: Bad Gateway'],
    [301, '', 'HTTP 301: Moved Permanently'],
    [200, '<html>', 'PROTOCOL_ERROR: the answer is not from Sluice'],
    [201, '{"events":[{}]}', 'PROTOCOL_ERROR: the answer is not from Sluice'],
  ])('tells that something else answered: %i %s', async (status, body, said) => {
    answer = { status, body };
    expect(await sluice(ARGS, { env })).toMatchObject({ code: 1, stderr: `sluice: ${said}\n` });
    expect(received).toHaveLength(1);
  });

  it('tells that nothing answers', async () => {
    await new Promise((resolve) => service.close(resolve));
    const { code, stderr } = await sluice(ARGS, { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^sluice: nothing answers at http:\/\/127\.0\.0\.1:\d+: is the service running there\?\n$/,
    );
  });

  it('stops when its user wants it to', async () => {
    const stop = new AbortController();
    service.removeAllListeners('request').on('request', () => stop.abort());
    expect(await sluice(ARGS, { env, signal: stop.signal })).toMatchObject({
      code: 1,
      stderr: 'sluice: stopped; the event may have been published or not\n',
    });
  });

  it('gives up after its deadline, whatever the garbage collector takes', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    service.removeAllListeners('request').on('request', () => {
      collect();
      setImmediate(collect);
    });
    const patient = { ...contextOf(), env };
    const outcome = createPublishCommand({ deadlineMs: 100 }).run(ARGS.slice(1), patient);
    await expect(outcome).rejects.toThrow(
      `${new URL(env['SLUICE_URL'] ?? '').origin} did not answer in time; the event may have been published or not`,
    );
  });

  it('stops before it sends anything', async () => {
    const signal = AbortSignal.abort();
    for (const more of [[], ['--data', '-']]) {
      expect(await sluice([...ARGS, ...more], { env, signal })).toMatchObject({
        code: 1,
        stderr: 'sluice: stopped; nothing was published\n',
      });
    }
    expect(received).toEqual([]);
  });

  it('tells that what stdin holds is not JSON', async () => {
    expect(await sluice([...ARGS, '--data', '-'], { env })).toMatchObject({
      code: 2,
      stderr: 'sluice: what stdin holds is not JSON; see sluice publish --help\n',
    });
  });

  it('refuses to start without a token, or with data that is not JSON', async () => {
    const { SLUICE_URL = '' } = env;
    expect(await sluice(ARGS, { env: { SLUICE_URL } })).toMatchObject({ code: 1 });
    expect(await sluice([...ARGS, '--data', '{n:1}'], { env })).toMatchObject({
      code: 2,
      stderr: 'sluice: --data is not JSON; see sluice publish --help\n',
    });
    expect(received).toEqual([]);
  });
});
