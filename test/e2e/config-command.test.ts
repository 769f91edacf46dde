import { execFile } from 'node:child_process';
import { access, chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ROOT } from '../docs/markdown.js';
import { Service } from '../support/service.js';

const COMMAND = join(ROOT, 'server/dist/cli/main.js');
const MAIN = join(ROOT, 'server/dist/main.js');
const SECRET = 'Hq3u0mT9vX2pL7cR5wZ8bN4kJ6fD1sYa';
const DEADLINE_MS = 20_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const NOBODY = 65_534;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in the folder, with nothing in its environment but PATH and what is given. */
function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const options = {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL' as const,
  };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}
type Variables = Readonly<Record<string, string>>;
const node = (file: string, args: readonly string[], env?: Variables) =>
  run(process.execPath, [file, ...args], env);
const check = (args: readonly string[], env?: Variables) =>
  node(COMMAND, ['config', 'check', ...args], env);

/** The same as a user without rights, who may yet read the project, wherever it lies. */
function checkAsNobody(args: readonly string[], env: Variables): Promise<Outcome> {
  if (process.getuid?.() !== 0) return check(args, env);
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const reading = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  const command = [process.execPath, COMMAND, 'config', 'check', ...args];
  return run('setpriv', [...ids, ...reading, ...command], env);
}

/** What a user makes without being root is theirs already. */
async function giveToNobody(path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, NOBODY, NOBODY);
}

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('sluice config check', () => {
  it('tells each setting, and where it comes from, and no secret', async () => {
    const secret = await fileOf('secret', `${SECRET}\n`);
    const lines = [
      `JWT_SECRET_FILE=${secret}`,
      'PORT=8080',
      'MAX_STREAMS=50',
      'TOKEN_ISSUER="a b"',
    ];
    await fileOf('service.env', `# the service\n${lines.join('\n')}\n`);
    const env = { PORT: '8081', TOKEN_AUDIENCE: 'sluice', MAX_STREAMS_PER_SUBJECT: '60' };
    const { code, stdout, stderr } = await check(['--env-file', 'service.env'], env);

    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).not.toContain(SECRET);
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(rows).toEqual(
      expect.arrayContaining([
        ['- MAX_STREAMS_PER_SUBJECT is above MAX_STREAMS, and so has no effect'],
        ['HOST', 'default', '127.0.0.1'],
        ['PORT', 'environment', '8081'],
        ['MAX_STREAMS', 'env-file', '50'],
        ['TOKEN_ISSUER', 'env-file', 'a b'],
        ['JWT_SECRET', 'file', '(set)'],
        ['JWKS_URI', 'default', '(none)'],
        ['The service would accept these settings.'],
      ]),
    );
    expect(await isThere(join(folder, 'data'))).toBe(false);
  });

  it('tells all faults that the service would tell, and the exit code says so', async () => {
    const env = {
      SLUICE_PORT: SECRET,
      PORT: SECRET,
      AUTHZEN_TOKEN: 'hunter2',
      JWT_SECRET_FILE: join(folder, 'nowhere'),
      REDIS_URI: 'redis://app:hunter2@h',
    };
    const [text, json, started] = await Promise.all([
      check([], env),
      check(['--json'], env),
      node(MAIN, [], env),
    ]);
    const { faults, ...verdict } = JSON.parse(json.stdout);
    expect(faults).toEqual([
      'SLUICE_PORT is no setting: the setting is called PORT',
      'TOKEN_ISSUER must be set when JWT_SECRET_FILE is set',
      'TOKEN_AUDIENCE must be set when JWT_SECRET_FILE is set',
      'JWT_SECRET_FILE names a file that cannot be read (ENOENT)',
      'PORT must be a whole number from 0 to 65535',
      'AUTHZEN_TOKEN is set without AUTHZEN_URL',
    ]);
    expect(verdict).toMatchObject({
      isValid: false,
      warnings: ['REDIS_URI is no setting; is REDIS_URL meant?'],
    });
    expect(verdict.settings).toContainEqual({
      name: 'PORT',
      source: 'environment',
      isValid: false,
      value: null,
    });
    for (const fault of faults) {
      expect(text.stdout).toContain(`  - ${fault}\n`);
      expect(started.stderr).toContain(`  - ${fault}\n`);
    }
    expect([text.code, json.code, started.code]).toEqual([1, 1, 1]);
    expect(JSON.stringify([text, json, started])).not.toMatch(/Hq3u0|hunter2/);
  });

  it('looks into the files and folders that are named', async () => {
    await fileOf('no-folder', '');
    await fileOf('policy.csv', 'p, alice, acme, orders-*, subscribe\nq, x\n');
    await fileOf('retention.json', '{"acme": {"second": 5}}');
    const faultsOf = async (env: Record<string, string>): Promise<string[]> =>
      JSON.parse((await check(['--json'], env)).stdout).faults;

    const [around, retention, fine] = await Promise.all([
      faultsOf({
        DATA_DIR: join(folder, 'no-folder/data'),
        POLICY_FILE: 'policy.csv',
        AUDIT_LOG: 'nowhere/audit.log',
      }),
      faultsOf({ RETENTION_FILE: 'retention.json' }),
      faultsOf({ DATA_DIR: 'a/b/c', AUDIT_LOG: 'audit.log' }),
    ]);
    expect(around).toEqual([
      'DATA_DIR is not a folder',
      expect.stringMatching(/^POLICY_FILE names a file that is no policy: line 2 /),
      'AUDIT_LOG cannot be written, or its folder is missing',
    ]);
    expect(retention).toEqual([
      'RETENTION_FILE: acme: "second" is none of its members, seconds, events and bytes',
    ]);
    expect(fine).toEqual([]);
    expect(await isThere(join(folder, 'a'))).toBe(false);
    expect(await isThere(join(folder, 'audit.log'))).toBe(false);
  });

  it('judges files by the rights of who calls it', async () => {
    const data = join(folder, 'data');
    const secret = await fileOf('secret', SECRET);
    await mkdir(data);
    await Promise.all([chmod(folder, 0o755), chmod(data, 0o555), chmod(secret, 0o644)]);
    await giveToNobody(secret);
    const env = {
      DATA_DIR: data,
      JWT_SECRET_FILE: secret,
      TOKEN_ISSUER: 'my-app',
      TOKEN_AUDIENCE: 'sluice',
      MAX_STREAMS: '10',
    };
    const { stdout } = await checkAsNobody(['--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({
      faults: ['DATA_DIR cannot be written, or not be made: this user has no right to'],
      warnings: ['JWT_SECRET_FILE names a file that is not for its owner alone (chmod o= it)'],
    });
    await Promise.all([chmod(data, 0o755), chmod(secret, 0o600)]);
    await giveToNobody(data);
    const own = await checkAsNobody(['--json'], env);
    expect(JSON.parse(own.stdout)).toMatchObject({ faults: [], warnings: [] });
  });

  it('warns where fewer files may be open than streams', async () => {
    const script = `ulimit -n 1024; exec "${process.execPath}" "${COMMAND}" config check --json`;
    const { stdout } = await run('sh', ['-c', script], { MAX_STREAMS: '2000' });
    expect(JSON.parse(stdout).warnings).toEqual([
      expect.stringMatching(/^MAX_STREAMS is 2000, .* may have 1024 files open: .* to 3000,/),
    ]);
    const few = await run('sh', ['-c', script], { MAX_STREAMS: '24' });
    expect(JSON.parse(few.stdout).warnings).toEqual([]);
  });

  it.each([
    [['config'], 2, /an action is missing/],
    [['config', 'show'], 2, /no such action/],
    [['config', 'check', 'x'], 2, /Unexpected argument/],
  ])('says what is wrong with %j', async (args, code, message) => {
    const outcome = await node(COMMAND, args);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toMatch(message);
  });

  it('does not check without a file of variables that is named', async () => {
    const { code, stdout, stderr } = await check(['--env-file', 'nowhere']);
    // Node looks for the file before the command does (exit code 9), as long as it takes the option for its own.
    expect([1, 9]).toContain(code);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/nowhere/);
  });
});

describe('the command line of the service', () => {
  it.each([
    [['--help'], 0, /^Usage: node server\/dist\/main\.js\n/, /^$/],
    [['--port=s3cr3t'], 2, /^$/, /^sluice: the service takes no arguments; see --help\n$/],
  ])('starts nothing with %j', async (args, code, stdout, stderr) => {
    const outcome = await node(MAIN, args);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toMatch(stdout);
    expect(outcome.stderr).toMatch(stderr);
    expect(await isThere(join(folder, 'data'))).toBe(false);
  });
});

describe('the service', () => {
  it('starts beside a Service of Kubernetes by its name, and warns of slips', async () => {
    await using service = await Service.start({
      env: {
        SLUICE_SERVICE_HOST: '10.96.0.7',
        SLUICE_SERVICE_PORT_HTTP: '3000',
        SLUICE_PORT: 'tcp://10.96.0.7:3000',
        MAX_STREAM: 's3cr3t',
      },
    });
    const line = await service.stderr.find((text) => text.includes('MAX_STREAM'));
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      msg: 'MAX_STREAM is no setting; is MAX_STREAMS meant?',
    });
    expect(service.stderr.items.join()).not.toContain('s3cr3t');
  });

  it('takes a secret from its file, and its command a token from one', async () => {
    const env = {
      JWT_SECRET_FILE: await fileOf('secret', `${SECRET}\n`),
      TOKEN_ISSUER: 'my-app',
      TOKEN_AUDIENCE: 'sluice',
    };
    await using service = await Service.start({ env });
    // It is read once: what becomes of the file afterwards is nothing to a service that runs.
    await rm(env.JWT_SECRET_FILE);
    const { default: jsonwebtoken } = await import('jsonwebtoken');
    const token = jsonwebtoken.sign(
      { workspace: 'acme', permissions: ['realtime:publish'] },
      SECRET,
      {
        issuer: 'my-app',
        audience: 'sluice',
        subject: 'alice',
        expiresIn: 60,
      },
    );
    const publish = (variables: Record<string, string>) =>
      node(
        COMMAND,
        [...'publish --workspace acme --topic orders --type o.created --data'.split(' '), '{}'],
        { SLUICE_URL: service.url, ...variables },
      );
    await mkdir(join(folder, 'tokens'));
    const SLUICE_TOKEN_FILE = await fileOf('tokens/alice', `${token}\n`);
    expect(await publish({ SLUICE_TOKEN_FILE })).toMatchObject({ code: 0, stderr: '' });
    const both = await publish({ SLUICE_TOKEN_FILE, SLUICE_TOKEN: token });
    expect(both).toMatchObject({
      code: 1,
      stderr: 'sluice: SLUICE_TOKEN is set beside SLUICE_TOKEN_FILE: take one of them\n',
    });
  });
});
