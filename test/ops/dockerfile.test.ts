import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import { freePort } from '../support/free-port.js';
import { argumentsOf, type Image, readDockerfile, replayImage, stagesOf } from './image-replay.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const USER = 10_001;

describe('the Dockerfile', () => {
  it('is one', async () => {
    expect(validate(await readFile(join(ROOT, 'Dockerfile'), 'utf8'))).toEqual([]);
    expect(validate('FROM node:24\nFORM x')).not.toEqual([]);
  });

  it('runs without a shell, as nobody, from an image that is named, and holds no secret', async () => {
    const instructions = await readDockerfile();
    const contents = (keyword: string) =>
      instructions
        .filter((instruction) => instruction.getKeyword() === keyword)
        .map((instruction) => instruction.getArgumentsContent() ?? '');
    const last = stagesOf(instructions).get('') ?? [];
    expect(
      last.filter((i) => i.getKeyword() === 'USER').map((i) => i.getArgumentsContent()),
    ).toEqual([`${USER}:${USER}`]);
    expect(argumentsOf(last, 'CMD')).toEqual([
      'node',
      '--max-semi-space-size=16',
      '--initial-old-space-size=96',
      'server/dist/main.js',
    ]);
    expect(argumentsOf(last, 'HEALTHCHECK')).toEqual(['node', 'health.js']);
    expect(contents('ARG')).toEqual([expect.stringMatching(/^NODE_IMAGE=node:\d+-bookworm-slim$/)]);
    expect(contents('FROM').every((from) => from.startsWith('$' + '{NODE_IMAGE}'))).toBe(true);
    expect(contents('ADD')).toEqual([]);
    expect(contents('ENV').join()).not.toMatch(/SECRET|TOKEN|PASSWORD|REDIS_URL/);
  });

  it('is given what it copies, and no more', async () => {
    const lines = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = (await readDockerfile())
      .filter((i) => i.getKeyword() === 'COPY' && !(i.getArgumentsContent() ?? '').startsWith('/'))
      .flatMap((i) =>
        i
          .getArguments()
          .slice(0, -1)
          .map((argument) => argument.getValue()),
      );
    const isWithin = (path: string, place: string) =>
      path === place || path.startsWith(`${place}/`);
    expect(copied.filter((path) => !allowed.some((place) => isWithin(path, place)))).toEqual([]);
    expect(allowed.filter((place) => !copied.some((path) => isWithin(path, place)))).toEqual([]);
    expect(lines).toEqual(
      expect.arrayContaining(['*', '**/node_modules', '**/dist', '**/*.test.ts']),
    );
  });
});

describe('what the Dockerfile makes', () => {
  let image: Image;
  beforeAll(async () => {
    image = await replayImage();
    // The base image would let everybody look in.
    await chmod(join(image.folder, '..'), 0o755);
  }, 180_000);
  afterAll(async () => {
    await image?.[Symbol.asyncDispose]();
  });

  it('changes nothing of the base image but what installs and builds, and the data folder', () => {
    expect(image.notRun).toEqual([
      expect.stringMatching(/^rm -rf \/usr\/local\/lib\/node_modules .*npm.*yarn/),
      `install -d -m 0700 -o ${USER} -g ${USER} /data`,
    ]);
  });

  it('holds no source, no test and no package that is for development', async () => {
    const files = await readdir(image.folder, { recursive: true });
    const own = files.filter((file) => !file.startsWith('node_modules/'));
    expect(own.filter((file) => /(?<!\.d)\.tsx?$|\.test\./.test(file))).toEqual([]);
    expect(own).toContain('server/dist/main.js');
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    const isForDevelopment = (file: string) => lock.packages[file]?.dev === true;
    expect(Object.keys(lock.packages).filter(isForDevelopment).length).toBeGreaterThan(100);
    expect(files.filter(isForDevelopment)).toEqual([]);
  });

  it('serves as a user who may write nowhere but in the data folder, is healthy, and ends on SIGTERM', async () => {
    const { folder } = image;
    await using data = await dataFolder();
    const before = await readdir(folder, { recursive: true });
    const env = {
      ...image.env,
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      OPS_PORT: String(await freePort()),
      DATA_DIR: data.path,
      ISSUER_EXPOSED: 'true',
    };
    const [program = '', ...args] = asUser(image.command);
    const service = spawn(program, args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const lines = createInterface({ input: service.stdout });
      const [line] = (await once(lines, 'line')) as [string];
      expect(line).toMatch(/^Sluice listens on http:\/\/0\.0\.0\.0:\d+$/);

      const [check = '', ...checkArgs] = asUser(image.healthCommand);
      await run(check, checkArgs, { cwd: folder, env });
      await expect(
        run(check, checkArgs, { cwd: folder, env: { ...env, OPS_PORT: String(await freePort()) } }),
      ).rejects.toMatchObject({ code: 1 });

      expect(await readdir(folder, { recursive: true })).toEqual(before);
      expect((await readdir(data.path)).sort()).toContain('log');
      service.kill('SIGTERM');
      const [code] = (await once(service, 'exit')) as [number];
      expect(code).toBe(0);
    } finally {
      service.kill('SIGKILL');
    }
  }, 30_000);

  it('does not start before it is told whose tokens it takes, and says so', async () => {
    await using data = await dataFolder();
    const [program = '', ...args] = asUser(image.command);
    const env = { ...image.env, PATH: process.env['PATH'] ?? '', PORT: '0', DATA_DIR: data.path };
    await expect(run(program, args, { cwd: image.folder, env })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/TOKEN_ISSUER and TOKEN_AUDIENCE.*ISSUER_EXPOSED=true/s),
    });
  });
});

/** Where the tests run as root, the command runs as the user of the image. */
function asUser(command: readonly string[]): string[] {
  const own = command.map((word) => (word === 'node' ? process.execPath : word));
  if (process.getuid?.() !== 0) return own;
  const ids = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...ids, ...own];
}

async function dataFolder() {
  const path = await mkdtemp(join(tmpdir(), 'sluice-image-data-'));
  if (process.getuid?.() === 0) await chown(path, USER, USER);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
