import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeFrame, problemOf, TERMINAL_RETRY_MS } from '@sluice/protocol';

const ROOT = join(import.meta.dirname, '..', '..');

let folder: string;
let command: string;
let service: Server | undefined;

// The command as a process, from the sources as they are: the built files may be older.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-main-'));
  command = join(folder, 'sluice.mjs');
  await promisify(execFile)(join(ROOT, 'node_modules', '.bin', 'esbuild'), [
    join(ROOT, 'server', 'cli', 'main.ts'),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--log-level=error',
    `--outfile=${command}`,
    `--alias:@sluice/protocol=${join(ROOT, 'protocol', 'index.ts')}`,
    "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  ]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  service?.closeAllConnections();
  await new Promise((resolve) => (service === undefined ? resolve(null) : service.close(resolve)));
  service = undefined;
});

async function sluice(args: readonly string[], play: RequestListener = () => {}) {
  service = createServer(play);
  await new Promise<void>((resolve) => service?.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  const child = spawn(process.execPath, [command, ...args], {
    env: {
      DATA_DIR: folder,
      SLUICE_URL: `http://127.0.0.1:${port}`,
      SLUICE_TOKEN: 'the-token',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]).then(
    ([[code, signal], stderr]) => ({ code, signal, stderr }),
  );
  return { child, ended };
}

const stream: RequestListener = (_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const data = JSON.stringify('x'.repeat(10_000));
  const fill = () => {
    while (response.write(encodeFrame({ data })));
  };
  response.on('drain', fill);
  fill();
};

describe('the process', () => {
  it('prints a token and ends', async () => {
    const args = ['token', '--workspace', 'acme', '--subject', 'a', '--permissions'];
    const { child, ended } = await sluice([...args, 'realtime:publish']);
    expect(await text(child.stdout)).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(await ended).toMatchObject({ code: 0, signal: null });
  });

  it('stops while it waits for stdin', async () => {
    const about = ['--workspace', 'acme', '--topic', 't', '--type', 't'];
    const { child, ended } = await sluice(['publish', ...about, '--data', '-']);
    // More than a pipe holds: once all of it is taken, the command waits for what follows.
    child.stdin.write(' '.repeat(1_048_576), () => child.kill('SIGINT'));
    expect(await ended).toEqual({
      code: 1,
      signal: null,
      stderr: 'sluice: stopped; nothing was published\n',
    });
  });

  it('ends with the code of the fault', async () => {
    const { ended } = await sluice(['token']);
    expect(await ended).toMatchObject({ code: 2, stderr: expect.not.stringContaining('    at ') });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends well on %s', async (signal) => {
    const { child, ended } = await sluice(['listen', '--workspace', 'acme'], stream);
    child.stdout.once('data', () => child.kill(signal)).resume();
    expect(await ended).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('ends quietly when nobody reads on', async () => {
    const { child, ended } = await sluice(['listen', '--workspace', 'acme'], stream);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it.each(['with the stream', 'before the event is whole'])(
    'does not wait out a terminal retry that comes %s',
    async (when) => {
      let connections = 0;
      const problem = JSON.stringify(problemOf('FORBIDDEN', { requestId: 'r' }));
      const { ended } = await sluice(['listen', '--workspace', 'acme'], (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        if (connections++ === 0 && when !== 'with the stream') {
          response.end(`retry: ${TERMINAL_RETRY_MS}\nevent: stream.err`);
          return;
        }
        const retry = TERMINAL_RETRY_MS;
        response.end(encodeFrame({ event: 'stream.error', retry, data: problem }));
      });
      expect(await ended).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/sluice: FORBIDDEN: [^\n]+\n$/),
      });
      expect(connections).toBe(when === 'with the stream' ? 1 : 2);
    },
  );
});

describe('bin/sluice.js', () => {
  const startFile = async (built: string | null) => {
    const place = await mkdtemp(join(folder, 'bin-'));
    await mkdir(join(place, 'bin'));
    await mkdir(join(place, 'dist', 'cli'), { recursive: true });
    await writeFile(join(place, 'package.json'), '{"type":"module"}');
    await copyFile(join(ROOT, 'server', 'bin', 'sluice.js'), join(place, 'bin', 'sluice.js'));
    if (built !== null) await writeFile(join(place, 'dist', 'cli', 'main.js'), built);
    const child = spawn(process.execPath, [join(place, 'bin', 'sluice.js')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
    return { code, stderr };
  };

  it('asks for a build where there is none', async () => {
    expect(await startFile(null)).toEqual({
      code: 1,
      stderr: 'sluice: run "npm run build" first\n',
    });
  });

  it('does not hide that a part of the build is missing', async () => {
    const { code, stderr } = await startFile("import './run.js';");
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_MODULE_NOT_FOUND');
    expect(stderr).not.toContain('npm run build');
  });
});
