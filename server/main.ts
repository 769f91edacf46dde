import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createListener } from './app.js';
import { compose, type Service } from './compose.js';
import { type Config, localUrl, readConfig } from './config.js';
import { createLog } from './ops/log.js';
import { drain } from './ops/shutdown.js';
import { welcome } from './ops/welcome.js';

/** Idle connections outlast the usual 60 s of a load balancer, so that it is never the service that hangs up first. */
const KEEP_ALIVE_MS = 75_000;
/** A Last-Event-ID of 64 KB, and what else a request has: the gate says what is wrong with it, where Node would not. */
const MAX_HEAD_BYTES = 80 * 1_024;

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const service = await compose(config, log);
  const server = createServer(
    { maxHeaderSize: MAX_HEAD_BYTES },
    createListener(service.routes, config, log),
  );
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const port = await listen(server, config);
  process.stdout.write(welcome(config, localUrl(config.host, port)));
  endOnSignals(server, service, config);
}

function listen(server: Server, { host, port }: Config): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      const reason = isTaken
        ? 'is taken: set PORT to another one'
        : `cannot be used (${cause.code})`;
      reject(new Error(`port ${port} of ${host} ${reason}`, { cause }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function endOnSignals(server: Server, service: Service, { drainMs }: Config): void {
  let isEnding = false;
  const end = async () => {
    // Whoever asks twice does not want to wait.
    if (isEnding) process.exit(1);
    isEnding = true;
    await drain(server, service.hub, drainMs);
    await service.close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end());
}

start().catch((error: unknown) => {
  process.stderr.write(`sluice: ${error instanceof Error ? error.message : 'could not start'}\n`);
  process.exitCode = 1;
});
