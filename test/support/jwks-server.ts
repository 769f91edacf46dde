import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Inbox } from './inbox.js';
import type { Jwks } from './tokens.js';

/**
 * How a key server answers: rightly; rightly, but not before it is told to (`held`); not at all (`down`: the connection is reset; `silent`: it stays open); with a head
 * and then silence (`stall`); with a half and then a reset; a byte a second (`trickle`); with 200 MB (`huge`), or with
 * as much behind a compression (`bomb`); with a redirect to itself; with 500; with a page of HTML, with no set of keys,
 * with a key id that stands twice, with one bad member beside the good ones, with an empty set.
 */
export type JwksAnswer =
  | 'keys'
  | 'held'
  | 'down'
  | 'silent'
  | 'stall'
  | 'reset'
  | 'trickle'
  | 'huge'
  | 'bomb'
  | 'redirect'
  | 'error'
  | 'html'
  | 'not-a-set'
  | 'duplicate-kid'
  | 'bad-member'
  | 'empty';

export interface JwksServer extends AsyncDisposable {
  readonly url: string;
  /** How often the keys were asked for. */
  readonly calls: Inbox<JwksAnswer>;
  /** How many of the answers were left by whoever asked. */
  readonly abandoned: Inbox<JwksAnswer>;
  /** How the next calls are answered. */
  answer: JwksAnswer;
  /** Lets go of the answers that are held. */
  release(): void;
  /** Metadata by path, such as `/.well-known/openid-configuration`; a path without any is not found. */
  readonly metadata: Map<string, unknown>;
  /** The paths of metadata that were asked for. */
  readonly metadataCalls: string[];
}

/** Serves what `jwks()` gives at the time of the call. */
export async function startJwksServer(jwks: () => Jwks): Promise<JwksServer> {
  const calls = new Inbox<JwksAnswer>('a call for the keys');
  const abandoned = new Inbox<JwksAnswer>('an abandoned call');
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  const server = createServer(({ url = '' }, response) => {
    if (url.includes('/.well-known/')) {
      self.metadataCalls.push(url);
      const document = self.metadata.get(url);
      response.writeHead(document === undefined ? 404 : 200, JSON_HEAD);
      response.end(JSON.stringify(document === undefined ? {} : document));
      return;
    }
    const answer = self.answer;
    calls.push(answer);
    response.once('close', () => {
      if (!response.writableFinished) abandoned.push(answer);
    });
    const give = (as: Exclude<JwksAnswer, 'held'>) => ANSWERS[as](response, jwks(), self.url);
    if (answer === 'held') held.push(() => give('keys'));
    else give(answer);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const self: JwksServer = {
    url: `http://127.0.0.1:${port}/jwks.json`,
    calls,
    abandoned,
    answer: 'keys',
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
    metadata: new Map(),
    metadataCalls: [],
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return self;
}

const JSON_HEAD = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };

type Answer = (response: ServerResponse, jwks: Jwks, url: string) => void;

const ANSWERS: Record<Exclude<JwksAnswer, 'held'>, Answer> = {
  keys: (response, jwks) => {
    response.writeHead(200, JSON_HEAD).end(JSON.stringify(jwks));
  },
  down: (response) => {
    response.socket?.resetAndDestroy();
  },
  silent: () => {},
  stall: (response) => {
    response.writeHead(200, JSON_HEAD).write('{"keys":[');
  },
  html: (response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><p>Sign in');
  },
  reset: (response, jwks) => {
    const half = JSON.stringify(jwks).slice(0, 40);
    response.writeHead(200, JSON_HEAD).write(half, () => response.socket?.resetAndDestroy());
  },
  trickle: (response, jwks) => {
    const bytes = Buffer.from(JSON.stringify(jwks));
    let at = 0;
    response.writeHead(200, JSON_HEAD);
    const timer = setInterval(() => {
      response.write(bytes.subarray(at, ++at));
      if (at === bytes.length) response.end();
    }, 1_000);
    response.once('close', () => clearInterval(timer));
  },
  huge: (response) => {
    const block = Buffer.alloc(1024 * 1024, ' ');
    let left = 200;
    const write = () => {
      while (left-- > 0) if (!response.write(block)) return;
      response.end();
    };
    response.writeHead(200, JSON_HEAD).on('drain', write);
    write();
  },
  bomb: (response) => {
    // Members that follow each other are one content (RFC 1952, section 2.2).
    const member = gzipSync(Buffer.alloc(1024 * 1024, ' '));
    const bomb = Buffer.concat(Array.from({ length: 200 }, () => member));
    response.writeHead(200, { ...JSON_HEAD, 'Content-Encoding': 'gzip' }).end(bomb);
  },
  redirect: (response, _, url) => {
    response.writeHead(302, { Location: url }).end();
  },
  error: (response) => {
    response.writeHead(500, JSON_HEAD).end('{}');
  },
  'not-a-set': (response) => {
    response.writeHead(200, JSON_HEAD).end('{"keys":null}');
  },
  'duplicate-kid': (response, { keys }) => {
    response.writeHead(200, JSON_HEAD).end(JSON.stringify({ keys: [...keys, ...keys] }));
  },
  'bad-member': (response, { keys }) => {
    const bad = [null, 7, { kid: 'bad', kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', alg: 'ES256' }];
    response.writeHead(200, JSON_HEAD).end(JSON.stringify({ keys: [...bad, ...keys] }));
  },
  empty: (response) => {
    response.writeHead(200, JSON_HEAD).end('{"keys":[]}');
  },
};
