import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { freePort } from './free-port.js';
import { startLoadBalancer } from './load-balancer.js';

interface Target extends AsyncDisposable {
  readonly port: number;
  readonly sockets: readonly Socket[];
}

/** Says its name, and gives back what it is sent. */
async function startTarget(name: string): Promise<Target> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write(name);
    socket.pipe(socket);
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function greetingOf(port: number): Promise<{ name: string; socket: Socket }> {
  const socket = connect(port, '127.0.0.1');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return { name: bytes.toString(), socket };
}

describe('a load balancer', () => {
  it('gives each connection to the next target, and passes over those that refuse', async () => {
    await using first = await startTarget('A');
    await using second = await startTarget('B');
    const gone = await freePort();
    await using balancer = await startLoadBalancer(() => [first.port, gone, second.port]);
    const names: string[] = [];
    for (let count = 0; count < 6; count++) {
      const { name, socket } = await greetingOf(balancer.port);
      names.push(name);
      socket.write('!');
      expect(String((await once(socket, 'data'))[0])).toBe('!');
      if (count === 0) expect(balancer.connectionsTo(first.port)).toBe(1);
      socket.destroy();
    }
    expect(names.filter((name) => name === 'A')).toHaveLength(2);
    expect(names.filter((name) => name === 'B')).toHaveLength(4);
    expect(balancer.connectionsTo(gone)).toBe(0);
  });

  it('resets its client where every target refuses, or the target does so', async () => {
    const gone = await freePort();
    await using target = await startTarget('A');
    let ports = [gone];
    await using balancer = await startLoadBalancer(() => ports);
    const refused = connect(balancer.port, '127.0.0.1');
    await expect(once(refused, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' });

    ports = [target.port];
    const { socket } = await greetingOf(balancer.port);
    const cut = expect(once(socket, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' });
    target.sockets[0]?.resetAndDestroy();
    await cut;
  });

  it('ends what its target ends, once all has come', async () => {
    await using target = await startTarget('A');
    await using balancer = await startLoadBalancer(() => [target.port]);
    const { socket } = await greetingOf(balancer.port);
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    const ended = once(socket, 'end');
    target.sockets[0]?.end('the last word');
    await ended;
    expect(text).toBe('the last word');
    socket.destroy();
  });
});
