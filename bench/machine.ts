import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';

const require = createRequire(import.meta.url);

/** On what and with what it was measured, by what a reader calls it. */
export type Machine = Readonly<Record<string, string>>;

export function describeMachine(node24: string | null): Machine {
  return {
    Processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores: one for the server, one for the load`,
    Memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    System: `Linux ${release()}, ${debian()}`,
    Node: process.version,
    'Node 24': node24 === null ? 'not to be had' : firstLine(node24, ['--version']),
    nginx: firstLine('nginx', ['-v']).replace('nginx version: ', ''),
    Nchan: packageVersion('libnginx-mod-nchan'),
    Redis: firstLine('redis-server', ['--version']),
    'better-sse': versionOf('better-sse'),
    Express: versionOf('express'),
    cc: firstLine('cc', ['--version']),
    Commit: commit(),
  };
}

function debian(): string {
  try {
    return `Debian ${readFileSync('/etc/debian_version', 'utf8').trim()}`;
  } catch {
    return 'no Debian';
  }
}

function firstLine(program: string, args: readonly string[]): string {
  // nginx tells its version on standard error.
  const shell = `"$0" "$@" 2>&1`;
  const text = execFileSync('sh', ['-c', shell, program, ...args], { encoding: 'utf8' });
  return text.split('\n')[0]?.trim() ?? '';
}

function packageVersion(name: string): string {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', '$' + '{Version}', name], { encoding: 'utf8' });
  } catch {
    return 'unknown';
  }
}

function versionOf(name: string): string {
  // Not every package exports its package.json.
  for (const path of require.resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(`${path}/${name}/package.json`, 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Not in this folder.
    }
  }
  return 'unknown';
}

function commit(): string {
  try {
    const hash = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
    const changes = execFileSync('git', ['status', '--porcelain'], { encoding: 'utf8' });
    return hash.trim() + (changes === '' ? '' : ', with changes');
  } catch {
    return 'unknown';
  }
}
