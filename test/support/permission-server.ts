import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Inbox } from './inbox.js';

/** What the service asks, as the OpenID Authorization API 1.0 says. */
export interface AuthzenQuestion {
  readonly subject: {
    readonly type: string;
    readonly id: string;
    readonly properties: Readonly<Record<string, unknown>>;
  };
  readonly action: { readonly name: string };
  readonly resource: {
    readonly type: string;
    readonly id: string;
    readonly properties?: { readonly topics: readonly string[] };
  };
}

export interface AuthzenAnswer {
  readonly decision: boolean;
  readonly context?: Readonly<Record<string, unknown>>;
}

/** How a permission server answers: rightly (`decision`), only when it is told to (`held`), or by a fault. */
export type PermissionAnswer = 'decision' | 'held' | PermissionFault;

export interface PermissionCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly question: AuthzenQuestion;
}

export interface PermissionServer extends AsyncDisposable {
  readonly url: string;
  readonly calls: Inbox<PermissionCall>;
  /** How the next calls are answered. */
  answer: PermissionAnswer;
  /** What is decided, at the time of the answer. */
  decide: (question: AuthzenQuestion) => AuthzenAnswer;
  /** Answers all calls that were held. */
  release(): void;
  /** Settings under which the service asks here. */
  readonly settings: Readonly<Record<string, string>>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A policy decision point that grants everything until a test says otherwise. */
export async function startPermissionServer(): Promise<PermissionServer> {
  const calls = new Inbox<PermissionCall>('a call for a permission');
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = '', url: path = '', headers } = request;
    const question = JSON.parse(body) as AuthzenQuestion;
    const { answer } = self;
    const decide = () => sendJson(response, JSON.stringify(self.decide(question)));
    if (answer === 'held') held.push(decide);
    calls.push({ method, path, headers, question });
    if (answer === 'decision') decide();
    else if (answer !== 'held') PERMISSION_FAULTS[answer](response, self.url);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const self: PermissionServer = {
    url,
    calls,
    answer: 'decision',
    decide: () => ({ decision: true }),
    release() {
      for (const decide of held.splice(0)) decide();
    },
    settings: { AUTHZEN_URL: url },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return self;
}

/** What a permission server does instead of deciding. */
export const PERMISSION_FAULTS = {
  /** Closes the connection without a word. */
  reset: (response) => response.socket?.resetAndDestroy(),
  /** Never answers. */
  silent: () => {},
  /** Sends a head, half a decision, and no more. */
  stalled: (response) => response.writeHead(200, JSON_HEAD).write('{"decision":'),
  'server-error': status(500, '{"decision":true}'),
  'not-found': status(404, '{"decision":true}'),
  'bad-request': status(400, '{"decision":true}'),
  unauthorized: status(401, '{"decision":true}'),
  'too-many-requests': status(429, '{"decision":true}'),
  created: status(201, '{"decision":true}'),
  redirect: (response, url) => response.writeHead(307, { Location: `${url}/elsewhere` }).end(),
  html: (response) =>
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><p>Sign in'),
  nothing: status(200, ''),
  null: status(200, 'null'),
  true: status(200, 'true'),
  list: status(200, '[{"decision":true}]'),
  'empty-object': status(200, '{}'),
  'decision-as-text': status(200, '{"decision":"false"}'),
  'decision-as-number': status(200, '{"decision":1}'),
  'decision-null': status(200, '{"decision":null}'),
  'decision-twice': status(200, '{"decision":false,"decision":true}'),
  'decision-inherited': status(200, '{"__proto__":{"decision":true}}'),
  'allowed-instead': status(200, '{"allowed":true}'),
  'context-as-text': status(200, '{"decision":true,"context":"orders"}'),
  'topics-as-text': status(200, '{"decision":true,"context":{"topics":"*"}}'),
  'topics-null': status(200, '{"decision":true,"context":{"topics":null}}'),
  'topics-malformed': status(200, '{"decision":true,"context":{"topics":["a**"]}}'),
  truncated: status(200, '{"decision":true'),
  /** More than anybody should read. */
  huge: (response) => {
    const block = Buffer.alloc(65_536, ' ');
    let left = 3_200;
    const write = () => {
      while (left-- > 0) if (!response.write(block)) return;
      response.end('{"decision":true}');
    };
    response.writeHead(200, JSON_HEAD).on('drain', write);
    write();
  },
} satisfies Record<string, (response: ServerResponse, url: string) => void>;

export type PermissionFault = keyof typeof PERMISSION_FAULTS;

const JSON_HEAD = { 'Content-Type': 'application/json' };

function sendJson(response: ServerResponse, text: string): void {
  response.writeHead(200, JSON_HEAD).end(text);
}

function status(code: number, body: string) {
  return (response: ServerResponse): void => {
    response.writeHead(code, { 'Content-Type': 'application/json' }).end(body);
  };
}
