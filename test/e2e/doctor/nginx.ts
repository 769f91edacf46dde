import { freePorts } from '../../support/free-port.js';
import { ProxyProcesses } from '../../support/proxies/proxy-processes.js';

/** nginx with one server a fault, each at a port of its own. Use it with `await using`. */
export interface FaultyNginx<Fault extends string> extends AsyncDisposable {
  readonly urls: Readonly<Record<Fault, string>>;
}

/**
 * @param upstreamPort where the service is
 * @param faults directives by name; each name is the place of one server
 */
export async function startNginx<Fault extends string>(
  program: string,
  upstreamPort: number,
  faults: Readonly<Record<Fault, string>>,
): Promise<FaultyNginx<Fault>> {
  const names = Object.keys(faults) as Fault[];
  const ports = await freePorts(names.length);
  const servers = names.map(
    (name, index) => `server {
      listen 127.0.0.1:${ports[index]};
      location / { proxy_pass http://127.0.0.1:${upstreamPort}; ${faults[name]} }
    }`,
  );
  const processes = await ProxyProcesses.create('nginx');
  const { folder } = processes;
  try {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder};`,
    );
    const config = await processes.write(
      'nginx.conf',
      `pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; daemon off;
      events { worker_connections 128; }
      http { access_log off; proxy_http_version 1.1; ${paths.join(' ')} ${servers.join('\n')} }\n`,
    );
    processes.start('nginx', program, ['-p', folder, '-c', config, '-e', 'stderr']);
    await processes.listening(...ports);
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
  const urls = names.map((name, index) => [name, `http://127.0.0.1:${ports[index]}`]);
  return {
    urls: Object.fromEntries(urls) as Record<Fault, string>,
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  };
}
