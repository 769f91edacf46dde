import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { freePorts } from '../free-port.js';
import type { ProxyOptions, StartProxy } from './proxy.js';
import { adaptShipped, ProxyProcesses, type Replacement } from './proxy-processes.js';
import { type CheckingProxy, startReadinessServer } from './readiness-server.js';

const CONFIG = 'haproxy.cfg';
const CERTIFICATE = 'sluice.pem';
const ACCOUNT = process.getuid?.() === 0 ? 'haproxy' : userInfo().username;

/** HAProxy with `ops/haproxy/haproxy.cfg`. */
export const startHaproxy: StartProxy = (program, options) =>
  startHaproxyWith(program, options, []);

/** The same with further changes, for what a test shows to be wrong. */
export async function startHaproxyWith(
  program: string,
  { upstreamPort, certFile, keyFile }: ProxyOptions,
  changes: readonly Replacement[],
): Promise<CheckingProxy> {
  const [tlsPort = 0, plainPort = 0] = await freePorts(2);
  const readiness = await startReadinessServer();
  const processes = await ProxyProcesses.create('haproxy');
  const socket = processes.at('stats.sock');
  const dispose = async () => {
    await processes[Symbol.asyncDispose]();
    await readiness[Symbol.asyncDispose]();
  };
  try {
    const pem = Buffer.concat([await readFile(certFile), await readFile(keyFile)]);
    const text = await adaptShipped('haproxy/haproxy.cfg', [
      ['user haproxy', `user ${ACCOUNT}`],
      ['group haproxy', ACCOUNT === 'haproxy' ? 'group haproxy' : ''],
      ['/run/haproxy/sluice.sock', socket],
      ['maxconn 20000', 'maxconn 1000'],
      ['bind :443', `bind 127.0.0.1:${tlsPort}`],
      ['bind :80', `bind 127.0.0.1:${plainPort}`],
      ['/etc/haproxy/sluice.pem', await processes.write(CERTIFICATE, pem.toString())],
      ['10.0.0.11:3000', `127.0.0.1:${upstreamPort}`],
      ['10.0.0.12:3000', `127.0.0.1:${upstreamPort}`],
      ['port 9464', `port ${readiness.port}`],
      ['check inter 2s', 'check inter 100ms'],
      ['timeout server 90s', 'timeout server 3s'],
      ...changes,
    ]);
    const config = await processes.write(CONFIG, text);
    await processes.run(program, ['-c', '-f', config]);
    // In the foreground and in one process, as `-Ws` is for systemd.
    processes.start('haproxy', program, ['-db', '-f', config]);
    await processes.listening(tlsPort, plainPort);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    name: 'haproxy',
    tlsPort,
    plainPort,
    readiness,
    async outputs() {
      const outputs = await processes.outputs([CONFIG, CERTIFICATE]);
      for (const command of ['show stat', 'show info', 'show errors', 'show sess all']) {
        outputs.set(`stats socket: ${command}`, await askSocket(socket, command));
      }
      return outputs;
    },
    [Symbol.asyncDispose]: dispose,
  };
}

async function askSocket(path: string, command: string): Promise<Buffer> {
  const socket = connect(path);
  socket.write(`${command}\n`);
  return await buffer(socket);
}
