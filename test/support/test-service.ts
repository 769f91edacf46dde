import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventsPath, PERMISSIONS } from '@sluice/protocol';
import type { Express } from 'express';
import type { Substitutes } from '../../server/adapters.js';
import { createApp } from '../../server/app.js';
import { compose, type Service } from '../../server/compose.js';
import { type Config, readConfig } from '../../server/config.js';
import { openIssuer } from '../../server/issuer/issuer.js';
import type { Log } from '../../server/ops/log.js';

export const EVENTS = eventsPath('acme');

/** What was told to a log, by level. */
export class RecordedLog implements Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] =
    [];

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
}

/** The service in this process, on a data folder of its own, with the embedded issuer. Use it with `await using`. */
export interface TestService extends AsyncDisposable {
  readonly app: Express;
  readonly config: Config;
  readonly service: Service;
  readonly log: RecordedLog;
  /** A token of alice for the workspace `acme` with all permissions, unless these are named. */
  token(permissions?: readonly string[], workspace?: string): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openTestService(
  settings: Readonly<Record<string, string>> = {},
  substitutes: Substitutes = {},
): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-app-'));
  const config = readConfig({ DATA_DIR: folder, AUDIT_LOG: 'off', ...settings });
  const log = new RecordedLog();
  const service = await compose(config, log, substitutes);
  const token = await tokensOf(config);
  return {
    app: createApp(service.routes, config, log),
    config,
    service,
    log,
    token,
    async [Symbol.asyncDispose]() {
      await service.hub.drain(0);
      await service.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Makes tokens with the keys of a data folder. */
export async function tokensOf({
  dataDir,
  tokens,
  issuer: embedded,
}: Config): Promise<TestService['token']> {
  if (embedded === null) {
    return () => {
      throw new Error('the embedded issuer does not run');
    };
  }
  const issuer = await openIssuer({ dataDir, ...embedded, workspaceClaim: tokens.workspaceClaim });
  return (permissions = PERMISSIONS, workspace = 'acme') =>
    issuer.issueToken({
      subject: 'alice',
      workspaces: [workspace],
      permissions,
      lifetimeSeconds: 600,
    }).token;
}

/** A listening server. Use it with `await using`. */
export interface Listening extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Listens on a free port of loopback. */
export async function listen(listener: Parameters<typeof createServer>[1]): Promise<Listening> {
  const server = createServer(listener);
  // As the service does: after Node's five seconds a client may write to a connection that is just being closed.
  server.keepAliveTimeout = 75_000;
  // The server does not know the sockets of streams any more.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
