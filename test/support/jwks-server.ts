import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Inbox } from './inbox.js';
import type { Jwks } from './tokens.js';

/**
 * How a key server answers: rightly; not at all (`down`: the connection is reset); with a head and then silence
 * (`stall`); with a page of HTML; a byte a second (`slow`); with 200 MB (`huge`); with a redirect to itself; with 500.
 */
export type JwksAnswer =
  | 'keys'
  | 'down'
  | 'stall'
  | 'html'
  | 'slow'
  | 'huge'
  | 'redirect'
  | 'error';

export interface JwksServer extends AsyncDisposable {
  readonly url: string;
  /** How often the keys were asked for. */
  readonly calls: Inbox<JwksAnswer>;
  /** How many of the answers were left by whoever asked. */
  readonly abandoned: Inbox<JwksAnswer>;
  /** How the next calls are answered. */
  answer: JwksAnswer;
}

/** Serves what `jwks()` gives at the time of the call. */
export async function startJwksServer(jwks: () => Jwks): Promise<JwksServer> {
  const calls = new Inbox<JwksAnswer>('a call for the keys');
  const abandoned = new Inbox<JwksAnswer>('an abandoned call');
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => {
    const answer = self.answer;
    calls.push(answer);
    response.once('close', () => {
      if (!response.writableFinished) abandoned.push(answer);
    });
    ANSWERS[answer](response, jwks(), self.url);
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
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return self;
}

const JSON_HEAD = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };

const ANSWERS: Record<JwksAnswer, (response: ServerResponse, jwks: Jwks, url: string) => void> = {
  keys: (response, jwks) => {
    response.writeHead(200, JSON_HEAD).end(JSON.stringify(jwks));
  },
  down: (response) => {
    response.socket?.resetAndDestroy();
  },
  stall: (response) => {
    response.writeHead(200, JSON_HEAD).write('{"keys":[');
  },
  html: (response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><p>Sign in');
  },
  slow: (response, jwks) => {
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
  redirect: (response, _, url) => {
    response.writeHead(302, { Location: url }).end();
  },
  error: (response) => {
    response.writeHead(500, JSON_HEAD).end('{}');
  },
};
