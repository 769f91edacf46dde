import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ROOT = join(import.meta.dirname, '../..');
const DEADLINE_MS = 15_000;
/** What the packages need from outside, taken from the project's own folder so that nothing is downloaded. */
const FROM_OUTSIDE = ['eventsource', 'eventsource-parser', 'react', '@types/react', 'csstype'];

/** A folder with `@sluice/sdk` and `@sluice/protocol` in it, as npm would install them. Use it with `await using`. */
export interface InstalledPackages extends AsyncDisposable {
  readonly folder: string;
  /** Writes a file beside the packages; its path. */
  write(name: string, text: string): Promise<string>;
  /** Runs a program there; what it printed. @throws Error with what it printed, if it fails. */
  run(program: string, args: readonly string[]): Promise<string>;
}

/** Packs the built packages, and unpacks them into a folder of their own, outside the project. */
export async function installPackages(): Promise<InstalledPackages> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-installed-'));
  const modules = join(folder, 'node_modules');
  await Promise.all(['protocol', 'sdk'].map((workspace) => install(workspace, folder)));
  for (const name of FROM_OUTSIDE) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return {
    folder,
    write: async (name, text) => {
      const path = join(folder, name);
      await writeFile(path, text);
      return path;
    },
    run: async (program, args) => {
      try {
        return (await run(program, args, { cwd: folder, timeout: DEADLINE_MS })).stdout;
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
        throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function install(workspace: string, folder: string): Promise<void> {
  const target = join(folder, 'node_modules/@sluice', workspace);
  await mkdir(target, { recursive: true });
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, '--workspace', workspace],
    { cwd: ROOT, timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 },
  );
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await run('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components=1']);
}
