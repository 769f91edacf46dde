import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/test-service.js';
import { until } from '../../support/until.js';

/** nginx with one server a fault, each at a port of its own. Use it with `await using`. */
export interface FaultyNginx<Fault extends string> extends AsyncDisposable {
  readonly urls: Readonly<Record<Fault, string>>;
}

/**
 * @param upstreamPort where the service is
 * @param faults directives by name; each name is the place of one server
 */
export async function startNginx<Fault extends string>(
  program: string,
  upstreamPort: number,
  faults: Readonly<Record<Fault, string>>,
): Promise<FaultyNginx<Fault>> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-nginx-'));
  const named = Object.entries<string>(faults);
  const servers: string[] = [];
  const urls: [string, string][] = [];
  for (const [name, directives] of named) {
    const port = await freePort();
    urls.push([name, `http://127.0.0.1:${port}`]);
    servers.push(`server {
      listen 127.0.0.1:${port};
      location / { proxy_pass http://127.0.0.1:${upstreamPort}; ${directives} }
    }`);
  }
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder};`,
  );
  await writeFile(
    join(folder, 'nginx.conf'),
    `pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; daemon off;
    events { worker_connections 128; }
    http { access_log off; proxy_http_version 1.1; ${paths.join(' ')} ${servers.join('\n')} }\n`,
  );
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const closed = once(child, 'close');
  const dispose = async () => {
    child.kill('SIGTERM');
    await closed;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('nginx listens', () => canConnect(Number(new URL(urls[0]?.[1] ?? '').port)));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    urls: Object.fromEntries(urls) as Record<Fault, string>,
    [Symbol.asyncDispose]: dispose,
  };
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
