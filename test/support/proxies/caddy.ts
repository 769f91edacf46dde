import { freePorts } from '../free-port.js';
import type { ProxyOptions, StartProxy } from './proxy.js';
import { adaptShipped, ProxyProcesses, type Replacement } from './proxy-processes.js';
import { type CheckingProxy, startReadinessServer } from './readiness-server.js';

const CONFIG = 'Caddyfile';

/** Caddy with `ops/caddy/Caddyfile`. */
export const startCaddy: StartProxy = (program, options) => startCaddyWith(program, options, []);

/** The same with further changes, for what a test shows to be wrong. */
export async function startCaddyWith(
  program: string,
  { upstreamPort, certFile, keyFile }: ProxyOptions,
  changes: readonly Replacement[],
): Promise<CheckingProxy> {
  const [tlsPort = 0, plainPort = 0] = await freePorts(2);
  const readiness = await startReadinessServer();
  const processes = await ProxyProcesses.create('caddy');
  const dispose = async () => {
    await processes[Symbol.asyncDispose]();
    await readiness[Symbol.asyncDispose]();
  };
  try {
    const node = `127.0.0.1:${upstreamPort}`;
    const text = await adaptShipped('caddy/Caddyfile', [
      [':443 {', `:${tlsPort} {\n\tbind 127.0.0.1`],
      ['http://:80 {', `http://:${plainPort} {\n\tbind 127.0.0.1`],
      ['/etc/caddy/sluice.crt', certFile],
      ['/etc/caddy/sluice.key', keyFile],
      ['10.0.0.11:3000 10.0.0.12:3000', `${node} ${node}`],
      ['health_port 9464', `health_port ${readiness.port}`],
      ['health_interval 2s', 'health_interval 100ms'],
      ['response_header_timeout 60s', 'response_header_timeout 3s'],
      ['grace_period 5s', 'grace_period 10ms'],
      ...changes,
    ]);
    const config = await processes.write(CONFIG, text);
    // Where it would keep a copy of its configuration.
    const atHome = [`HOME=${processes.folder}`, program];
    const args = ['--config', config, '--adapter', 'caddyfile'];
    await processes.run('env', [...atHome, 'validate', ...args]);
    processes.start('caddy', 'env', [...atHome, 'run', ...args]);
    await processes.listening(tlsPort, plainPort);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    name: 'caddy',
    tlsPort,
    plainPort,
    readiness,
    outputs: () => processes.outputs([CONFIG]),
    [Symbol.asyncDispose]: dispose,
  };
}
