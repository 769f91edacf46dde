import { Transform } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Playground, startPlayground } from '../../support/playground.js';
import { describeWith } from '../../support/tools.js';
import { type Circumstances, type Examined, examine, idsOf } from './examine.js';
import { type FaultyNginx, startNginx } from './nginx.js';
import { type Meddling, startStandIn } from './stand-in.js';

let playground: Playground;
beforeAll(async () => {
  const env = { HEARTBEAT_MS: '300', ALLOWED_ORIGINS: 'https://app.example' };
  playground = await startPlayground({ env });
});
afterAll(async () => playground[Symbol.asyncDispose]());

const ORIGIN = ['--origin', 'https://app.example'];

/** How long what never comes is waited for. */
const HELD_MS = 1_000;

const examineAt = (url: string, args: readonly string[] = [], parts: Circumstances = {}) =>
  examine([url, '--workspace', 'acme', '--jwks', playground.jwks.url, ...args], {
    token: playground.token,
    ...parts,
  });

async function examineBehind(
  meddling: Meddling,
  args: readonly string[] = [],
  parts: Circumstances = {},
): Promise<Examined> {
  await using proxy = await startStandIn(playground.service.port, meddling);
  return await examineAt(`http://127.0.0.1:${proxy.port}`, args, parts);
}

const FAULTS = {
  // It would heed the service's X-Accel-Buffering otherwise.
  buffers: 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;',
  compresses: 'gzip on; gzip_types text/event-stream; gzip_min_length 0;',
  'compresses and buffers':
    'gzip on; gzip_types text/event-stream; proxy_ignore_headers X-Accel-Buffering;',
  'strips Authorization': 'proxy_set_header Authorization "";',
  'strips Last-Event-ID': 'proxy_set_header Last-Event-ID "";',
  'does nothing wrong': 'proxy_buffering off;',
  'cuts quiet streams': 'proxy_read_timeout 100ms; proxy_buffering off;',
};

describeWith('nginx', 'nginx that', (program) => {
  let nginx: FaultyNginx<keyof typeof FAULTS>;
  beforeAll(async () => {
    nginx = await startNginx(program, playground.service.port, FAULTS);
  });
  afterAll(async () => nginx[Symbol.asyncDispose]());

  it('does nothing wrong passes', async () => {
    const examined = await examineAt(nginx.urls['does nothing wrong'], ORIGIN);
    expect(idsOf(examined, 'problem')).toEqual([]);
    expect(idsOf(examined, 'warning')).toEqual([]);
    expect(examined.code).toBe(0);
    expect(examined.check('stream-headers').seen[0]).toContain('by way of nginx');
  });

  it('buffers is found by the first byte', async () => {
    const examined = await examineAt(nginx.urls.buffers, [], { answerMs: HELD_MS });
    expect(examined.code).toBe(1);
    expect(idsOf(examined, 'problem')).toEqual(['first-byte']);
    expect(examined.check('first-byte')).toMatchObject({
      seen: [expect.stringContaining('nothing of the stream came within 1.0 s')],
      advice: expect.stringContaining('proxy_buffering off'),
    });
    expect(examined.check('entry').verdict).toBe('skipped');
  });

  it('compresses is found, be it that frames come through or not', async () => {
    const flowing = await examineAt(nginx.urls.compresses);
    expect(flowing.check('compression')).toMatchObject({
      verdict: 'warning',
      facts: { contentEncoding: 'gzip' },
    });
    expect(flowing.code).toBe(0);
    const held = await examineAt(nginx.urls['compresses and buffers'], [], { answerMs: HELD_MS });
    expect(held.code).toBe(1);
  });

  it('strips Authorization is found at the gate', async () => {
    const examined = await examineAt(nginx.urls['strips Authorization']);
    expect(examined.code).toBe(1);
    expect(examined.check('entry')).toMatchObject({
      verdict: 'problem',
      facts: { code: 'MISSING_TOKEN' },
      advice: expect.stringContaining('takes the Authorization header away'),
    });
  });

  it('strips Last-Event-ID is found by coming back', async () => {
    const examined = await examineAt(nginx.urls['strips Last-Event-ID'], ['--publish', 'orders'], {
      answerMs: HELD_MS,
    });
    expect(idsOf(examined, 'problem')).toEqual(['resume', 'delivery']);
    expect(examined.check('resume')).toMatchObject({
      facts: { byHeader: 'fresh', byAddress: 'complete' },
      advice: expect.stringContaining('takes the header Last-Event-ID away'),
    });
  });

  it('cuts quiet streams is found by watching', async () => {
    const examined = await examineAt(nginx.urls['cuts quiet streams'], ['--seconds', '2']);
    expect(examined.check('heartbeat')).toMatchObject({
      verdict: 'problem',
      seen: [expect.stringContaining('not by the service')],
      advice: expect.stringContaining('proxy_read_timeout'),
    });
  });
});

describe('a proxy that', () => {
  it('holds heartbeats back and lets them go together is found', async () => {
    const held: Buffer[] = [];
    const inThrees = () =>
      new Transform({
        transform(chunk: Buffer, _, done) {
          if (!chunk.includes(': ping')) return done(null, chunk);
          held.push(chunk);
          return done(null, held.length % 3 === 0 ? Buffer.concat(held.splice(0)) : undefined);
        },
      });
    const examined = await examineBehind({ body: (body) => body.pipe(inThrees()) }, [
      '--seconds',
      '2',
    ]);
    expect(examined.code).toBe(1);
    expect(examined.check('heartbeat')).toMatchObject({
      verdict: 'problem',
      seen: [expect.any(String), 'some came together, so they were held back'],
    });
  });

  it('keeps heartbeats to itself is not said to be well', async () => {
    const withoutPings = () =>
      new Transform({
        transform: (chunk: Buffer, _, done) =>
          done(null, chunk.includes(': ping') ? undefined : chunk),
      });
    const examined = await examineBehind({ body: (body) => body.pipe(withoutPings()) }, [
      '--seconds',
      '1',
    ]);
    expect(examined.check('heartbeat').seen[0]).toContain('none in 1.0 s');
    expect(examined.check('heartbeat').facts['count']).toBe(0);
  });

  it('passes the head and holds the first frame back is found', async () => {
    const holding = () => new Transform({ transform: (_chunk, _, done) => done() });
    const examined = await examineBehind(
      {
        body: (body, { 'content-type': type }) =>
          type === 'text/event-stream' ? body.pipe(holding()) : body,
      },
      [],
      { answerMs: HELD_MS },
    );
    expect(examined.code).toBe(1);
    expect(examined.check('first-byte')).toMatchObject({
      verdict: 'problem',
      seen: [expect.stringMatching(/^the head came in .* did not within 1.0 s, nor any byte$/)],
      facts: { headMs: expect.any(Number), connectedMs: null },
    });
    expect(examined.check('heartbeat').verdict).toBe('skipped');
  });

  it('cuts the query off is found', async () => {
    const examined = await examineBehind({ url: (url) => url.replace(/\?.*/, '') });
    expect(idsOf(examined, 'problem')).toEqual([
      'errors-in-stream',
      'query-token',
      'stream-token',
      'resume',
    ]);
    expect(examined.check('resume').facts).toMatchObject({ byAddress: 'fresh' });
  });

  it('changes the headers of the stream is found', async () => {
    const examined = await examineBehind({
      answer: (headers) => ({ ...headers, 'cache-control': 'no-cache' }),
    });
    expect(examined.check('stream-headers')).toMatchObject({
      verdict: 'warning',
      facts: { cacheControl: 'no-cache' },
    });
    const cached = await examineBehind({ answer: (headers) => ({ ...headers, age: '7' }) });
    expect(cached.check('stream-headers').verdict).toBe('problem');
  });

  it('answers a stream with a page is found', async () => {
    const examined = await examineBehind(
      {
        answer: (headers, status) => (status === 200 ? { 'content-type': 'text/html' } : headers),
      },
      [],
      { answerMs: HELD_MS },
    );
    expect(examined.check('entry')).toMatchObject({
      verdict: 'problem',
      seen: [expect.stringContaining('answered with 200 and text/html, not with an event stream')],
    });
  });
});

describe('CORS', () => {
  it('tells of an origin that the service does not know', async () => {
    const args = ['--origin', 'https://other.example'];
    const examined = await examineAt(playground.service.url, args);
    expect(idsOf(examined, 'problem')).toEqual(['cors']);
    expect(examined.check('cors')).toMatchObject({
      seen: ['the service refuses the origin https://other.example'],
      advice: expect.stringContaining('ALLOWED_ORIGINS'),
    });
  });

  it.each([
    ['*', 'is \\*, which does not come from Sluice'],
    [['https://app.example', '*'], 'holds several values'],
    ['https://other.example', 'is https://other.example'],
  ])('tells of a proxy that writes %j', async (value, seen) => {
    const answer: Meddling['answer'] = (headers) => ({
      ...headers,
      'access-control-allow-origin': value as string,
    });
    const examined = await examineBehind({ answer }, ORIGIN);
    expect(examined.check('cors').verdict).toBe('problem');
    expect(examined.check('cors').seen.join()).toMatch(new RegExp(seen));
  });
});
