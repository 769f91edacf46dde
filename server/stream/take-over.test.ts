import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Inbox, withResolvers } from '../../test/support/inbox.js';
import { rawRequest } from '../../test/support/raw-http.js';
import { listen } from '../../test/support/test-service.js';
import { takeOver } from './take-over.js';

const HEAD = { 'Content-Type': 'text/plain', Connection: 'close' };
/** What `node:http` listens to on the socket of a request. */
const HTTP_EVENTS = ['data', 'end', 'close', 'drain', 'timeout', 'error'];

type HttpSocket = Socket & { parser?: object | null; _httpMessage?: unknown };

/** Writes the head and takes the socket over. */
function begin(request: IncomingMessage, response: ServerResponse): Writable {
  response.removeHeader('Transfer-Encoding');
  response.writeHead(200, HEAD);
  response.flushHeaders();
  return takeOver(request, response);
}

/** Serves one client, who collects what it gets. */
async function serveOne(listener: RequestListener) {
  // Not within the parser's call, as no stream is opened: the gate lies between.
  const server = await listen((...call) => setImmediate(listener, ...call));
  const client = connect(server.port, '127.0.0.1').setEncoding('utf8');
  const ended = withResolvers<void>();
  const received = new Inbox<string>('text at the client');
  let text = '';
  client.on('data', (part: string) => {
    text += part;
    received.push(text);
  });
  client.once('close', () => ended.resolve());
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  return {
    server: server.server,
    client,
    ended: ended.promise,
    until: (part: string) => received.find((all) => all.endsWith(part)),
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('a socket that was taken over', () => {
  it('carries what is written, straight behind the head', async () => {
    await using one = await serveOne((request, response) => {
      const sink = begin(request, response);
      expect(sink).toBeInstanceOf(Socket);
      sink.write('first ');
      setImmediate(() => sink.end('second'));
    });
    const text = await one.until('second');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text.split('\r\n\r\n')).toEqual([expect.any(String), 'first second']);
    expect(text).not.toMatch(/transfer-encoding|content-length/i);
    await one.ended;
  });

  it('has neither a parser nor a listener of HTTP', async () => {
    const taken = withResolvers<[HttpSocket, ServerResponse]>();
    await using one = await serveOne((request, response) => {
      const sink = begin(request, response) as HttpSocket;
      sink.write('taken');
      taken.resolve([sink, response]);
    });
    await one.until('taken');
    const [sink, response] = await taken.promise;
    expect(sink.parser).toBeNull();
    expect(sink._httpMessage ?? null).toBeNull();
    expect(response.socket).toBeNull();
    expect(sink.on).toBe(Socket.prototype.on);
    const names = HTTP_EVENTS.flatMap((event) => sink.rawListeners(event).map(({ name }) => name));
    // That of `net.Socket` itself.
    expect(names).toEqual(['onReadableStreamEnd']);
  });

  it('drops what the client sends, a second request among it', async () => {
    let requests = 0;
    await using one = await serveOne((request, response) => {
      requests++;
      const sink = begin(request, response) as HttpSocket;
      sink.write('taken');
      const dropped = () => {
        if (sink.bytesRead < 1_000_000) setImmediate(dropped);
        else sink.end('all dropped');
      };
      dropped();
    });
    await one.until('taken');
    one.client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.padEnd(1_000_000, 'x'));
    await one.until('all dropped');
    expect(requests).toBe(1);
  });

  it('tells when the client goes, once', async () => {
    const events = new Inbox<string>('an event of the socket');
    await using one = await serveOne((request, response) => {
      const sink = begin(request, response);
      sink.on('end', () => sink.destroy());
      sink.on('close', () => events.push('close'));
      sink.write('taken');
    });
    await one.until('taken');
    one.client.destroy();
    await events.next();
    await new Promise((resolve) => one.server.close(resolve));
    expect(events.items).toEqual(['close']);
  });

  it('keeps the listeners of the application', async () => {
    const events = new Inbox<string>('an event of the socket');
    await using one = await serveOne((request, response) => {
      request.socket.once('close', () => events.push('once'));
      request.socket.on('close', () => events.push('on'));
      begin(request, response).end('taken');
    });
    await one.until('taken');
    await events.atLeast(2);
    expect(events.items).toEqual(['once', 'on']);
  });

  it('is not cut by the time limits of HTTP', async () => {
    const sockets = new Inbox<Socket>('a socket');
    await using one = await serveOne((request, response) => {
      request.socket.setTimeout(5_000);
      sockets.push(begin(request, response) as Socket);
    });
    const socket = await sockets.next();
    expect(socket.timeout).toBe(0);
    expect(one.client.destroyed).toBe(false);
  });
});

describe('where the socket cannot be taken over', () => {
  type Change = (request: IncomingMessage, response: ServerResponse) => () => void;
  /** Takes a method away, and gives it back when it is needed again. */
  const without = (owner: object, name: string) => {
    Object.defineProperty(owner, name, { value: undefined, configurable: true });
    return () => {
      Reflect.deleteProperty(owner, name);
    };
  };
  const parserOf = (request: IncomingMessage) => (request.socket as HttpSocket).parser as object;

  it.each<[string, Change]>([
    ['the parser lacks "unconsume"', (request) => without(parserOf(request), 'unconsume')],
    ['the parser lacks "remove"', (request) => without(parserOf(request), 'remove')],
    ['the parser lacks "close"', (request) => without(parserOf(request), 'close')],
    [
      'a listener of HTTP is not known',
      ({ socket }) => {
        const listeners = socket.rawListeners('close') as (() => void)[];
        socket.removeAllListeners('close');
        return () => {
          for (const listener of listeners) socket.on('close', listener);
        };
      },
    ],
    ['the response lacks "detachSocket"', (_, response) => without(response, 'detachSocket')],
    [
      'the socket has no parser',
      (request) => {
        const socket = request.socket as HttpSocket;
        const { parser = null } = socket;
        socket.parser = null;
        return () => {
          socket.parser = parser;
        };
      },
    ],
    [
      'the socket is of another kind',
      (request) => {
        const { socket } = request;
        Object.setPrototypeOf(socket, Object.create(Socket.prototype));
        return () => Object.setPrototypeOf(socket, Socket.prototype);
      },
    ],
  ])('because %s, the response does the same', async (_, change) => {
    await using one = await serveOne((request, response) => {
      const restore = change(request, response);
      const sink = begin(request, response);
      restore();
      expect(sink).toBe(response);
      expect(response.socket).not.toBeNull();
      sink.write('first ');
      setImmediate(() => sink.end('second'));
    });
    const text = await one.until('second');
    expect(text.split('\r\n\r\n')[1]).toBe('first second');
    await one.ended;
  });

  it('because the parser is within the request, the response does the same', async () => {
    const server = await listen((request, response) => {
      const sink = begin(request, response);
      expect(sink).toBe(response);
      sink.end('whole');
    });
    await using _ = server;
    for (let client = 0; client < 20; client++) {
      const { body } = await rawRequest({ port: server.port, path: '/' });
      expect(body).toBe('whole');
    }
    server.server.closeAllConnections();
  });

  it('because the request is not whole yet, the response does the same', async () => {
    const server = await listen((request, response) => {
      setImmediate(() => {
        const sink = begin(request, response);
        expect(sink).toBe(response);
        sink.end('whole');
      });
    });
    await using _ = server;
    const headers = [['Content-Length', '1']] as const;
    expect((await rawRequest({ port: server.port, path: '/', headers })).body).toBe('whole');
  });

  it('because the parser reads another request already, the response does the same', async () => {
    const sinks = new Inbox<Writable>('what is written to');
    await using server = await listen((request, response) => {
      setImmediate(() => {
        if (request.method === 'GET') sinks.push(begin(request, response));
      });
    });
    const client = connect(server.port, '127.0.0.1').resume();
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    client.write(`${get}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab`);
    const sink = await sinks.next();
    expect(sink).not.toBeInstanceOf(Socket);
    client.destroy();
  });

  it('because it has gone, the response is given back', async () => {
    const given = withResolvers<boolean>();
    await using one = await serveOne((request, response) => {
      request.socket.destroy();
      given.resolve(takeOver(request, response) === response);
    });
    expect(await given.promise).toBe(true);
    await one.ended;
  });
});
