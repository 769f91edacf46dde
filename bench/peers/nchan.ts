import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { httpRequest } from '../event.js';
import { freePort } from '../free-port.js';
import { PinnedProcess } from '../pinned-process.js';
import { PEER_PROGRAMS } from '../root.js';
import type { TokenIssuer } from '../tokens.js';
import type { Peer, RunningPeer, StreamRequest } from './peer.js';
import { ProcessPeer } from './process-peer.js';

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const VERIFIER = join(PEER_PROGRAMS, 'token-verifier.js');

export interface NchanOptions {
  readonly core: number;
  readonly folder: string;
  /** How many events a channel keeps. */
  readonly history?: number;
  /** Asks a verifier of tokens, on the same core, before it opens a stream. */
  readonly verifier?: {
    readonly issuer: TokenIssuer;
    readonly node: string;
    readonly remembers: boolean;
  };
}

/** Debian's Nchan, one worker, its log of requests off. */
export class NchanPeer implements Peer {
  readonly name: string;

  constructor(private readonly options: NchanOptions) {
    this.name = options.verifier === undefined ? 'Nchan' : 'Nchan with a verifier';
  }

  async start(): Promise<RunningPeer> {
    const { core, verifier } = this.options;
    const processes: PinnedProcess[] = [];
    let verifierPort: number | null = null;
    if (verifier !== undefined) {
      const process = new PinnedProcess(verifier.node, [VERIFIER], {
        core,
        env: {
          PUBLIC_KEY: verifier.issuer.publicPem,
          REMEMBERS: String(verifier.remembers),
        },
      });
      processes.push(process);
      verifierPort = Number(await process.said(/listens on (\d+)/));
    }
    const port = await freePort();
    const folder = await mkdtemp(join(this.options.folder, 'nchan-'));
    await writeFile(join(folder, 'nginx.conf'), this.configuration(folder, port, verifierPort));
    const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
    const nginx = new PinnedProcess('nginx', args, { core });
    processes.unshift(nginx);
    await Promise.race([isListening(port), nginx.failure('did not start')]);
    const { issuer } = verifier ?? {};
    return issuer === undefined
      ? new ProcessPeer(processes, port)
      : new GuardedNchan(processes, port, issuer);
  }

  private configuration(folder: string, port: number, verifierPort: number | null): string {
    const { history = 100 } = this.options;
    const authorize = verifierPort === null ? '' : 'nchan_authorize_request /verify;';
    const verify =
      verifierPort === null
        ? ''
        : `location = /verify {
            internal;
            proxy_pass http://verifier/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
          }`;
    const upstream =
      verifierPort === null
        ? ''
        : `upstream verifier { server 127.0.0.1:${verifierPort}; keepalive 64; }`;
    return `
      load_module ${MODULE};
      daemon off;
      worker_processes 1;
      worker_rlimit_nofile 20000;
      pid ${folder}/nginx.pid;
      error_log stderr error;
      events { worker_connections 19990; }
      http {
        access_log off;
        tcp_nodelay on;
        client_body_temp_path ${folder}/body;
        proxy_temp_path ${folder}/proxy;
        fastcgi_temp_path ${folder}/fastcgi;
        uwsgi_temp_path ${folder}/uwsgi;
        scgi_temp_path ${folder}/scgi;
        keepalive_requests 1000000000;
        nchan_shared_memory_size 1024M;
        ${upstream}
        server {
          listen 127.0.0.1:${port} backlog=16384;
          location ~ ^/events/(.+)$ {
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length ${history};
            nchan_message_timeout 1h;
          }
          location ~ ^/streams/(.+)$ {
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            ${authorize}
          }
          location ~ ^/replays/(.+)$ {
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message oldest;
          }
          ${verify}
        }
      }`;
  }
}

/** Nchan that asks who comes. */
class GuardedNchan extends ProcessPeer {
  constructor(
    processes: readonly PinnedProcess[],
    port: number,
    private readonly issuer: TokenIssuer,
  ) {
    super(processes, port);
  }

  override streamRequest({ workspace, subject }: StreamRequest): string {
    const token = this.issuer.token({ subject, workspace });
    return httpRequest(`GET /streams/${workspace}`, {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${token}`,
    });
  }
}

async function isListening(port: number): Promise<void> {
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
