import { tmpdir } from 'node:os';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { run } from '../../server/cli/run.js';

describe('the command line of sluice scrub', () => {
  it.each([
    [['--in-place'], 'needs a FILE'],
    [['--in-place', '-'], 'not "-"'],
    [['--in-place', '--check', 'a'], 'either --check or --in-place'],
    [['--in-plase', 'a'], 'Unknown option'],
    [['/nowhere/at/all'], 'there is no such file'],
    [[tmpdir()], 'is a folder'],
  ])('refuses %j with exit code 2', async (args, fault) => {
    const stdin = Readable.from([]);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const { signal } = new AbortController();
    expect(await run(['scrub', ...args], { env: {}, stdin, stdout, stderr, signal })).toBe(2);
    expect(stdout.read()).toBeNull();
    const said = String(stderr.read());
    expect(said).toContain(fault);
    expect(said).not.toContain('    at ');
  });
});
