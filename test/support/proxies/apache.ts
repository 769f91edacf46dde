import { mkdir } from 'node:fs/promises';
import { freePorts } from '../free-port.js';
import type { ProxyOptions, RunningProxy, StartProxy } from './proxy.js';
import { adaptShipped, ProxyProcesses, type Replacement } from './proxy-processes.js';

const CONFIG = 'httpd.conf';

/** Apache httpd with `ops/apache/httpd.conf`. */
export const startApache: StartProxy = (program, options) => startApacheWith(program, options, []);

/** The same with further changes, for what a test shows to be wrong. */
export async function startApacheWith(
  program: string,
  { upstreamPort, certFile, keyFile }: ProxyOptions,
  changes: readonly Replacement[],
): Promise<RunningProxy> {
  const [tlsPort, plainPort] = (await freePorts(2)) as [number, number];
  const processes = await ProxyProcesses.create('apache');
  const { folder } = processes;
  try {
    await mkdir(processes.at('acme'));
    const text = await adaptShipped('apache/httpd.conf', [
      ['ServerRoot /etc/apache2', `ServerRoot ${folder}`],
      ['/run/apache2/apache2.pid', `${folder}/apache2.pid`],
      ['DefaultRuntimeDir /run/apache2', `DefaultRuntimeDir ${folder}`],
      ['shmcb:/run/apache2/tls', `shmcb:${folder}/tls`],
      ['/var/log/apache2/', `${folder}/`, 2],
      ['/var/www/acme', processes.at('acme')],
      ['/etc/ssl/sluice/fullchain.pem', certFile],
      ['/etc/ssl/sluice/privkey.pem', keyFile],
      ['BalancerMember http://127.0.0.1:3000', `BalancerMember http://127.0.0.1:${upstreamPort}`],
      ['Listen 443', `Listen 127.0.0.1:${tlsPort} https`],
      ['Listen 80', `Listen 127.0.0.1:${plainPort}`],
      ['<VirtualHost *:443>', `<VirtualHost *:${tlsPort}>`],
      ['<VirtualHost *:80>', `<VirtualHost *:${plainPort}>`],
      [
        `:${upstreamPort} connectiontimeout=2 timeout=75`,
        `:${upstreamPort} connectiontimeout=2 timeout=3`,
      ],
      ...changes,
    ]);
    const config = await processes.write(CONFIG, text);
    await processes.run(program, ['-t', '-f', config]);
    processes.start('apache', program, ['-D', 'FOREGROUND', '-f', config]);
    await processes.listening(tlsPort, plainPort);
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
  return {
    name: 'apache',
    tlsPort,
    plainPort,
    outputs: () => processes.outputs([CONFIG]),
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  };
}
