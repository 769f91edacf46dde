import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeFrame, problemOf } from '@sluice/protocol';
import { createDoctorCommand } from '../../../server/cli/doctor-command.js';
import { run } from '../../../server/cli/run.js';
import { listen } from '../../support/test-service.js';
import { examine, idsOf, runDoctor } from './examine.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TOKEN = `${'a'.repeat(40)}.${'b'.repeat(40)}.${'c'.repeat(40)}`;

/** As a shell would call it. */
async function sluice(args: readonly string[], env: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const signal = new AbortController().signal;
  const code = await run(args, { env, stdin: Readable.from([]), stdout, stderr, signal });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

describe('the command line', () => {
  it.each([
    [['ftp://x.example'], 'http or https address'],
    [['https://alice:s3cret@x.example'], 'a user name or a password'],
    [['https://x.example', 'https://y.example'], "Unexpected argument 'https://y.example'"],
    [['https://x.example', '--workspace', 'a b'], '--workspace must be'],
    [['https://x.example', '--origin', 'https://app.example/'], 'without a slash'],
    [['https://x.example', '--origin', '*'], '--origin must be'],
    [['https://x.example', '--publish', ''], '--publish must be'],
    [['https://x.example', '--seconds', '0'], '--seconds must be'],
    [['https://x.example', '--jwks', 'keys'], '--jwks must be an http or https address'],
    [['https://x.example', '--ca-file', '/nowhere/ca.pem'], 'cannot be read (ENOENT)'],
    [['https://x.example', '--token-file', '/nowhere/token'], 'cannot be read (ENOENT)'],
    [['https://x.example', '--token', 'x'], "Unknown option '--token'"],
  ])('refuses %j with exit code 2', async (args, fault) => {
    const { code, stdout, stderr } = await sluice(['doctor', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(fault);
    expect(stderr).not.toContain('s3cret');
    expect(stderr).toMatch(/^sluice: [^\n]+; see sluice doctor --help\n$/);
  });

  it('takes its URL anywhere among the options, and from SLUICE_URL', async () => {
    await using server = await listen((_, response) => response.writeHead(404).end());
    const url = `http://127.0.0.1:${server.port}/prefix/`;
    for (const args of [
      [url, '--workspace', 'acme'],
      ['--workspace', 'acme', url],
      [`${url}realtime/workspace/acme/events`],
    ]) {
      const { report } = await examine(args);
      expect(report).toMatchObject({ url: url.slice(0, -1), workspace: 'acme' });
    }
    const { report } = await examine([], { env: { SLUICE_URL: url } });
    expect(report).toMatchObject({ url: url.slice(0, -1), workspace: null });
  });

  it('asks below the prefix of the URL, for readiness too', async () => {
    const asked: string[] = [];
    await using server = await listen(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(url === '/ops/readyz' ? 503 : 404).end('{"status":"draining"}');
    });
    const base = `http://127.0.0.1:${server.port}`;
    const { check } = await examine([`${base}/live`, '--ops', `${base}/ops/`]);
    expect(asked).toEqual(['/live/realtime/workspace/doctor/events', '/ops/readyz']);
    expect(check('readiness')).toMatchObject({
      verdict: 'problem',
      seen: ['/readyz answers 503', '{"status":"draining"}'],
    });
  });

  it('takes the token from a file', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${TOKEN}\n`);
    const args = ['http://127.0.0.1:1', '--token-file', file];
    const env = { SLUICE_TOKEN_FILE: file };
    for (const { check } of [await examine(args), await examine(args.slice(0, 1), { env })]) {
      expect(check('token').seen[0]).toMatch(/^122 characters, tokenHash [\w-]{16}$/);
    }
    await writeFile(file, 'two words');
    expect(await sluice(['doctor', ...args])).toMatchObject({ code: 2, stdout: '' });
  });

  it('warns of a token in the URL, and does not send or show it', async () => {
    const asked: string[] = [];
    await using server = await listen(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(404).end();
    });
    const examined = await examine([`http://127.0.0.1:${server.port}/?access_token=${TOKEN}`]);
    expect(examined.check('address')).toMatchObject({
      verdict: 'warning',
      seen: expect.arrayContaining([expect.stringContaining('held a query')]),
    });
    expect(examined.printed + asked.join()).not.toContain(TOKEN);
  });
});

describe('what is printed', () => {
  it('holds neither the token that a server gives back, nor what steers a terminal', async () => {
    const evil = `\u001b]0;owned\u0007 \u009b31m \u202e ${TOKEN} ${encodeURIComponent(TOKEN)}`;
    await using server = await listen(({ headers }, response) => {
      const code = headers.authorization === undefined ? 'MISSING_TOKEN' : 'INVALID_TOKEN';
      response.writeHead(401, {
        'content-type': 'application/problem+json',
        'x-request-id': '1',
        date: new Date().toUTCString(),
      });
      response.end(JSON.stringify({ ...problemOf(code, { requestId: 'r' }), detail: evil }));
    });
    const args = [`http://127.0.0.1:${server.port}`, '--workspace', 'acme'];
    const json = await examine(args, { token: TOKEN });
    const { printed } = await runDoctor(args, { token: TOKEN });
    expect(json.check('entry').seen[0]).toContain('INVALID_TOKEN:');
    for (const all of [json.printed, printed]) {
      expect(all).toContain('[token]');
      expect(all).not.toContain(TOKEN);
      expect(all).not.toContain('c'.repeat(40));
      expect(all.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    }
  });

  it('is whole, whatever a server makes up', async () => {
    const odd = '{"toString":1,"resumed":{"toString":1},"events":[{"cursor":{"toString":1}},null]}';
    const frame = encodeFrame({ event: 'stream.connected', id: 'E-1', data: odd });
    await using server = await listen(({ method, headers }, response) => {
      if (headers.authorization === undefined) {
        const problem = JSON.stringify(problemOf('MISSING_TOKEN', { requestId: 'r' }));
        response.writeHead(401, { 'content-type': 'application/problem+json' }).end(problem);
      } else if (method === 'POST') response.writeHead(201).end(odd);
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).end(frame);
    });
    const args = [`http://127.0.0.1:${server.port}`, '--workspace', 'acme', '--publish', 'orders'];
    const claims = { iss: { toString: 1 }, aud: [{ toString: 1 }], exp: 1e300, workspace: {} };
    const token = ['{"alg":{"toString":1}}', JSON.stringify(claims), 'x']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
    const examined = await examine(args, { token });
    expect(examined.printed).not.toContain('the check itself failed');
    expect(examined.code).toBe(1);
    expect(examined.check('resume').facts).toMatchObject({ byHeader: 'not said' });
  });

  it('is aligned lines that end with what to do first, without colour where there is no terminal', async () => {
    await using server = await listen((_, response) => response.writeHead(502).end());
    const { code, printed } = await runDoctor([`http://127.0.0.1:${server.port}`]);
    expect(code).toBe(1);
    expect(printed).toMatch(
      /^Sluice doctor \d+\.\d+\.\d+: http:\/\/127\.0\.0\.1:\d+\n\nok {7}Address {11}http/,
    );
    expect(printed).toMatch(
      /\nproblem {2}Service {11}not Sluice: 502.*\n {27}To do: A proxy answers/,
    );
    expect(printed).toMatch(/\nskipped {2}HTTP version {6}needs "Service", which has a problem\n/);
    expect(printed).toMatch(/\n\nOne problem\. First "Service": A proxy answers[\s\S]*\n$/);
    expect(printed.split('\n').every((line) => line.length <= 100)).toBe(true);
    expect(printed).not.toContain('\u001b');
  });

  it.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
    [{ NO_COLOR: '' }, true],
  ])('has colour on a terminal with %j: %s', async (env, hasColour) => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
    const printed = text(stdout);
    await createDoctorCommand().run(['http://127.0.0.1:1'], {
      env,
      stdin: Readable.from([]),
      stdout,
      stderr: new PassThrough(),
      signal: new AbortController().signal,
    });
    stdout.end();
    expect((await printed).includes('\u001b[31mproblem')).toBe(hasColour);
  });
});

describe('Ctrl-C', () => {
  it('ends the examination with what is known so far', async () => {
    const stop = new AbortController();
    await using server = await listen((_, response) => {
      response.once('close', () => {});
      stop.abort();
    });
    const examined = await examine([`http://127.0.0.1:${server.port}`], {
      signal: stop.signal,
      answerMs: 60_000,
    });
    expect(examined.code).toBe(4);
    expect(examined.report).toMatchObject({
      outcome: 'incomplete',
      summary: expect.stringContaining('Ended before all was examined'),
    });
    expect(idsOf(examined, 'ok')).toEqual(['address', 'dns', 'connection', 'tls']);
    expect(examined.check('redirects').seen).toEqual(['the examination was ended before']);
  });

  it('leaves no connection behind when it comes while a stream is watched', async () => {
    const stop = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    await using server = await listen(({ headers }, response) => {
      if (headers.authorization === undefined) {
        const problem = JSON.stringify(problemOf('MISSING_TOKEN', { requestId: 'r' }));
        const head = { 'content-type': 'application/problem+json', 'x-request-id': 'r' };
        response.writeHead(401, head).end(problem);
        return;
      }
      closed = new Promise((resolve) => response.once('close', resolve));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(encodeFrame({ event: 'stream.connected', id: 'E-1', data: '{}' }), () =>
        setImmediate(() => stop.abort()),
      );
    });
    const args = [`http://127.0.0.1:${server.port}`, '--workspace', 'acme', '--seconds', '60'];
    const { code } = await examine(args, { token: TOKEN, signal: stop.signal });
    expect(code).toBe(1);
    await closed;
  });
});
