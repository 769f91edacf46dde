import { readFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsPath, problemOf } from '@sluice/protocol';
import { makeCertificates } from '../../support/certificates.js';
import { freePort } from '../../support/free-port.js';
import { listen } from '../../support/test-service.js';
import { examine, idsOf } from './examine.js';
import { listenTls, makeSelfSigned } from './faulty-certificates.js';

const lookupOf = (...addresses: { address: string; family: number }[]): LookupFunction =>
  ((_: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
    options.all
      ? done(null, addresses)
      : done(null, addresses[0]?.address, addresses[0]?.family)) as LookupFunction;

/** Not the real one: how long that takes is up to a name server somewhere. */
const knowsNothing = ((_: string, __: object, done: (error: Error) => void) =>
  done(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }))) as LookupFunction;

describe('the way to the service', () => {
  it('tells of a name that is not known, and asks nothing more of it', async () => {
    const examined = await examine(['https://nothing.invalid'], { lookup: knowsNothing });
    expect(examined.code).toBe(3);
    expect(examined.report.outcome).toBe('unreachable');
    expect(examined.check('dns')).toMatchObject({
      verdict: 'problem',
      seen: ['nothing.invalid: the name is not known'],
    });
    expect(examined.check('service').seen).toEqual(['needs "Redirects", which was skipped']);
  });

  it('tells of a port at which nothing listens', async () => {
    const examined = await examine([`http://127.0.0.1:${await freePort()}`]);
    expect(examined.code).toBe(3);
    expect(examined.check('connection')).toMatchObject({
      verdict: 'problem',
      seen: [expect.stringContaining('nothing listens at this port')],
      facts: { attempts: [{ address: '127.0.0.1', error: 'ECONNREFUSED' }] },
    });
  });

  it('tells of an AAAA record that leads nowhere while the other address answers', async () => {
    await using server = await listen((_, response) => response.end());
    const lookup = lookupOf({ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 });
    const examined = await examine([`http://sluice.test:${server.port}`], { lookup });
    expect(examined.check('dns').facts).toEqual({ addresses: ['::1', '127.0.0.1'] });
    expect(examined.check('connection')).toMatchObject({
      verdict: 'warning',
      advice: expect.stringContaining('AAAA record leads nowhere'),
    });
  });

  it('waits for no answer longer than it says', async () => {
    await using server = await listen(() => {});
    const examined = await examine([`http://127.0.0.1:${server.port}`], { answerMs: 100 });
    expect(examined.code).toBe(1);
    expect(examined.check('redirects')).toMatchObject({
      verdict: 'problem',
      seen: ['no whole answer within 100 ms'],
    });
  });

  it.each([
    ['an endless page', 200, { 'content-type': 'text/html' }, 'A page answers'],
    ['a proxy without a service', 502, { 'content-type': 'text/html' }, 'cannot reach the service'],
    ['a sign-in of its own', 401, { 'www-authenticate': 'Basic' }, 'sign-in of its own'],
    ['another server', 404, { 'content-type': 'text/plain' }, 'another server answers'],
    ['a limit of the proxy', 429, {}, 'limit of the proxy'],
  ])('tells %s from the service', async (what, status, headers, advice) => {
    await using server = await listen((_, response) => {
      response.writeHead(status, headers);
      const fill = () => {
        while (!response.destroyed && response.write(' '.repeat(16_384)));
      };
      if (what.startsWith('an endless')) response.on('drain', fill) && fill();
      else response.end('<html>');
    });
    const examined = await examine([`http://127.0.0.1:${server.port}`]);
    expect(examined.code).toBe(1);
    expect(idsOf(examined, 'problem')).toEqual(['service']);
    expect(examined.check('service').advice).toContain(advice);
  });

  it('explains a limit of the service', async () => {
    await using server = await listen((_, response) => {
      const problem = problemOf('RATE_LIMIT_EXCEEDED', { requestId: 'r', retryAfterMs: 6_500 });
      response.writeHead(429, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(problem));
    });
    const { check } = await examine([`http://127.0.0.1:${server.port}`]);
    expect(check('service')).toMatchObject({
      verdict: 'problem',
      facts: { status: 429, code: 'RATE_LIMIT_EXCEEDED' },
      advice: expect.stringMatching(/^Wait 7 s\..*TRUST_PROXY/),
    });
  });

  it('tells where a redirect leads, without what stands behind the question mark', async () => {
    await using server = await listen(({ url }, response) => {
      response.writeHead(301, { location: `https://127.0.0.1/base${url}?secret=hidden` }).end();
    });
    const examined = await examine([`http://127.0.0.1:${server.port}`, '--workspace', 'acme']);
    expect(examined.code).toBe(1);
    expect(examined.check('redirects')).toMatchObject({
      verdict: 'problem',
      seen: [
        expect.stringContaining(`to https://127.0.0.1/base${eventsPath('acme')} (301)`),
        expect.stringContaining('in the clear'),
      ],
      advice: expect.stringContaining('Use https://127.0.0.1/base in the first place'),
    });
    expect(examined.printed).not.toContain('hidden');
  });
});

describe('TLS', () => {
  let certificates: Awaited<ReturnType<typeof makeCertificates>>;
  let signed: { key: string; cert: string };

  beforeAll(async () => {
    certificates = await makeCertificates('DNS:sluice.test');
    signed = {
      key: await readFile(certificates.keyFile, 'utf8'),
      cert: await readFile(certificates.certFile, 'utf8'),
    };
  });
  afterAll(async () => certificates[Symbol.asyncDispose]());

  const lookup = lookupOf({ address: '127.0.0.1', family: 4 });

  it('explains a certificate that has expired', async () => {
    await using expired = await makeSelfSigned({ isExpired: true });
    await using server = await listenTls(expired);
    const url = `https://127.0.0.1:${server.port}`;
    const examined = await examine([url, '--ca-file', expired.certFile]);
    expect(examined.code).toBe(1);
    expect(examined.check('tls')).toMatchObject({
      verdict: 'problem',
      facts: { error: 'CERT_HAS_EXPIRED' },
      advice: 'Renew the certificate, and have the proxy load it.',
    });
    expect(examined.check('tls').seen[0]).toContain('has expired on 2021-01-01T00:00:00');
    // Nobody is known to be there: nothing is asked, and no token is sent.
    expect(examined.check('redirects').seen).toEqual(['needs "TLS", which has a problem']);
  });

  it('explains a certificate that signs itself', async () => {
    await using own = await makeSelfSigned({ isExpired: false });
    await using server = await listenTls(own);
    const { check, code } = await examine([`https://127.0.0.1:${server.port}`]);
    expect(code).toBe(1);
    expect(check('tls')).toMatchObject({
      verdict: 'problem',
      facts: { error: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      advice: expect.stringContaining('--ca-file'),
    });
    expect(check('tls').seen[0]).toBe('the certificate is signed by nobody but itself');
  });

  it('explains one that is not for this name, and one whose authority is not known', async () => {
    await using server = await listenTls(signed);
    const unknown = await examine([`https://sluice.test:${server.port}`], { lookup });
    expect(unknown.check('tls')).toMatchObject({
      verdict: 'problem',
      seen: expect.arrayContaining([expect.stringContaining('cannot be traced')]),
      advice: expect.stringContaining('--ca-file'),
    });
    const args = ['--ca-file', certificates.caFile];
    const other = await examine([`https://127.0.0.1:${server.port}`, ...args]);
    expect(other.check('tls')).toMatchObject({
      verdict: 'problem',
      facts: { error: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      seen: expect.arrayContaining(['the certificate is not for 127.0.0.1']),
    });
  });

  it('warns of one that ends soon, and goes on with the authority that it was given', async () => {
    await using server = await listenTls(signed);
    const args = [`https://sluice.test:${server.port}`, '--ca-file', certificates.caFile];
    const examined = await examine(args, { lookup });
    expect(examined.check('tls')).toMatchObject({
      verdict: 'warning',
      facts: { alpn: 'http/1.1', error: null },
    });
    expect(examined.check('redirects').verdict).toBe('ok');
    expect(examined.check('service').verdict).toBe('ok');
    expect(examined.check('http-version').verdict).toBe('warning');
    await using newer = await listenTls(signed, { offersHttp2: true });
    args[0] = `https://sluice.test:${newer.port}`;
    const { check } = await examine(args, { lookup });
    expect(check('http-version')).toMatchObject({ verdict: 'ok', facts: { http2: true } });
  });

  it('tells of a port that does not speak TLS', async () => {
    await using server = await listen((_, response) => response.end());
    const examined = await examine([`https://127.0.0.1:${server.port}`]);
    expect(examined.code).toBe(1);
    expect(examined.check('tls').seen).toEqual([
      'no TLS: what answers at this port does not speak TLS',
    ]);
  });
});
