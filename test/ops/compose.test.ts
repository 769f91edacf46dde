import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { openStream, tryToPublish } from '../support/nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';

const run = promisify(execFile);
const SLUICE = join(import.meta.dirname, '../../server/bin/sluice.js');
const PERMISSIONS = 'realtime:subscribe,realtime:publish';
const OPS = join(import.meta.dirname, '../../ops');
const FOLDER = join(OPS, 'docker');

interface ComposeService {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly mem_limit?: string;
  readonly privileged?: boolean;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

async function readCompose(): Promise<ComposeFile> {
  return parse(await readFile(join(FOLDER, 'compose.yaml'), 'utf8'), {
    merge: true,
  }) as ComposeFile;
}

/** The folder, with secrets in it, as they are made by whoever follows the instructions. */
async function withSecrets() {
  const base = await mkdtemp(join(tmpdir(), 'sluice-compose-'));
  for (const part of ['docker', 'nginx']) {
    await cp(join(OPS, part), join(base, part), { recursive: true });
  }
  const folder = join(base, 'docker');
  await run(join(folder, 'prepare.sh'));
  return {
    folder,
    secret: (name: string) => join(folder, 'secrets', name),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}

describe('the compose file', () => {
  it('gives each container no more than it needs', async () => {
    const { services } = await readCompose();
    expect(Object.keys(services)).toEqual(['sluice-1', 'sluice-2', 'nginx', 'redis']);
    for (const service of Object.values(services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        image: expect.stringMatching(/:\d+\.\d/),
        mem_limit: expect.any(String),
      });
      expect(service.privileged).toBeUndefined();
      // Reached from this machine alone.
      expect(service.ports ?? []).toEqual(
        (service.ports ?? []).filter((port) => port.startsWith('127.0.0.1:')),
      );
      expect(JSON.stringify(service.environment ?? {})).not.toMatch(/password|:\/\//i);
    }
  });

  it('gives the nodes the time to drain', async () => {
    const { services } = await readCompose();
    const { environment, stop_grace_period: grace = '' } = services['sluice-1'] as ComposeService;
    expect(Number.parseInt(grace, 10)).toBeGreaterThan(
      Number(environment?.['DRAIN_MS']) / 1_000 + 7 + 5,
    );
  });

  it('has nginx in front of both nodes, as ops/nginx has it', async () => {
    await using made = await withSecrets();
    const text = await readFile(join(made.folder, 'nginx.conf'), 'utf8');
    const own = await readFile(join(OPS, 'nginx/nginx.conf'), 'utf8');
    const changed = text.split('\n').filter((line, index) => line !== own.split('\n')[index]);
    expect(changed).toEqual([
      expect.stringMatching(/^ +server sluice-1:3000 max_fails/),
      expect.stringMatching(/^ +server sluice-2:3000 max_fails/),
    ]);
  });

  it('names the secrets that are made, which are random, and made once', async () => {
    await using made = await withSecrets();
    const { secrets } = await readCompose();
    const read = () =>
      Promise.all(
        Object.values(secrets).map(({ file }) => readFile(join(made.folder, file), 'utf8')),
      );
    const texts = await read();
    await run(join(made.folder, 'prepare.sh'));
    expect(await read()).toEqual(texts);
    await using others = await withSecrets();
    expect(await readFile(others.secret('redis-url'), 'utf8')).not.toBe(texts[0]);
    expect((await stat(join(made.folder, 'secrets'))).mode & 0o777).toBe(0o700);
  });
});

describeWith('docker-compose', 'the compose file, as compose reads it', (program) => {
  it('is one', async () => {
    await using made = await withSecrets();
    const text = await readFile(join(FOLDER, 'compose.yaml'), 'utf8');
    // Debian's compose does not know this line yet.
    const file = join(made.folder, 'without-name.yaml');
    await writeFile(file, text.replace(/^name: .*$/m, ''));
    const { stdout } = await run(program, ['--file', file, 'config']);
    expect(Object.keys((parse(stdout) as ComposeFile).services)).toHaveLength(4);
  });
});

describeWith('redis-server', 'what the compose file starts', () => {
  it('is a Redis whose user has the rights that the nodes need, and nodes that share it', async () => {
    await using made = await withSecrets();
    const { services } = await readCompose();
    const [, ...settings] = services['redis']?.command ?? [];
    const inPlace = settings.map((word) =>
      word.replace('/run/secrets', join(made.folder, 'secrets')),
    );
    await using redis = await RedisServer.start({ args: inPlace });
    const url = await readFile(made.secret('redis-url'), 'utf8');
    const urlFile = join(made.folder, 'url-here');
    await writeFile(urlFile, url.replace('@redis:6379', `@127.0.0.1:${redis.port}`));
    const env = {
      ...services['sluice-1']?.environment,
      REDIS_URL_FILE: urlFile,
      ISSUER_KEY_SECRET_FILE: made.secret('issuer-key-secret'),
    };
    await using first = await Service.start({ env });
    await using second = await Service.start({ env });
    const args = ['--workspace', 'acme', '--subject', 'alice', '--permissions', PERMISSIONS];
    const command = run(process.execPath, [SLUICE, 'token', ...args], { env });
    const token = (await command).stdout.trim();
    using stream = await openStream(second, token);
    await stream.next('stream.connected');
    const { status, cursors } = await tryToPublish(first.url, token, [
      { topic: 'orders', type: 'created', data: 1 },
    ]);
    expect(status).toBe(201);
    expect((await stream.next('message')).id).toBe(cursors[0]);
  });
});

describeWith('shellcheck', 'the scripts', (program) => {
  it('have nothing that a shell would take otherwise', async () => {
    await run(program, [join(FOLDER, 'prepare.sh')]);
  });
});
