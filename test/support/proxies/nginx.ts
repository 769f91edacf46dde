import { freePorts } from '../free-port.js';
import type { ProxyOptions, RunningProxy, StartProxy } from './proxy.js';
import { adaptShipped, ProxyProcesses, type Replacement } from './proxy-processes.js';

const CONFIG = 'nginx.conf';

/** nginx with `ops/nginx/nginx.conf`. */
export const startNginx: StartProxy = (program, options) => startNginxWith(program, options, []);

/** The same with further changes, for what a test shows to be wrong. */
export async function startNginxWith(
  program: string,
  { upstreamPort, certFile, keyFile }: ProxyOptions,
  changes: readonly Replacement[],
): Promise<RunningProxy> {
  const [tlsPort, plainPort, statusPort] = (await freePorts(3)) as [number, number, number];
  const processes = await ProxyProcesses.create('nginx');
  const { folder } = processes;
  try {
    const text = await adaptShipped('nginx/nginx.conf', [
      ['/run/nginx.pid', `${folder}/nginx.pid`],
      ['/var/log/nginx/', `${folder}/`, 2],
      ['/var/lib/nginx/', `${folder}/temp-`, 5],
      ['/var/www/acme', folder],
      ['/etc/ssl/sluice/fullchain.pem', certFile],
      ['/etc/ssl/sluice/privkey.pem', keyFile],
      ['server 127.0.0.1:3000', `server 127.0.0.1:${upstreamPort}`],
      ['listen 80;', `listen 127.0.0.1:${plainPort};`],
      ['listen [::]:80;', ''],
      ['listen 443 ssl http2;', `listen 127.0.0.1:${tlsPort} ssl http2;`],
      ['listen [::]:443 ssl http2;', ''],
      ['listen 127.0.0.1:8081', `listen 127.0.0.1:${statusPort}`],
      ['proxy_read_timeout 75s', 'proxy_read_timeout 3s'],
      ['rate=100r/s', 'rate=20r/s'],
      ['burst=500', 'burst=250'],
      ['worker_processes auto', 'worker_processes 1'],
      ...changes,
    ]);
    const config = await processes.write(CONFIG, text);
    const args = ['-p', folder, '-e', 'stderr', '-c', config];
    await processes.run(program, [...args, '-t']);
    processes.start('nginx', program, [...args, '-g', 'daemon off;']);
    await processes.listening(tlsPort, plainPort, statusPort);
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
  return {
    name: 'nginx',
    tlsPort,
    plainPort,
    async outputs() {
      const outputs = await processes.outputs([CONFIG]);
      const status = await fetch(`http://127.0.0.1:${statusPort}/nginx_status`);
      outputs.set('status page', Buffer.from(await status.arrayBuffer()));
      return outputs;
    },
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  };
}
