import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createListener } from './app.js';
import { compose, type Service } from './compose.js';
import { type Config, localUrl, readConfig } from './config.js';
import { createLog, type Log } from './ops/log.js';
import { OpsServer } from './ops/ops-server.js';
import { drain } from './ops/shutdown.js';
import { welcome } from './ops/welcome.js';

/** Idle connections outlast the usual 60 s of a load balancer, so that it is never the service that hangs up first. */
const KEEP_ALIVE_MS = 75_000;
/**
 * Connections that may wait to be accepted, as far as the system allows. Whom it has no room for, it passes over without a
 * word, and they try again later and later: that is not the pace at which they could be taken.
 */
const BACKLOG = 16_384;
/** What letting go of the store may take. */
const LAST_WRITES_MS = 5_000;
/** A Last-Event-ID of 64 KB, and what else a request has: the gate says what is wrong with it, where Node would not. */
const MAX_HEAD_BYTES = 80 * 1_024;

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const service = await compose(config, log);
  try {
    await serve(service, config, log);
  } catch (error) {
    // What is open would keep the process alive.
    await service.close();
    throw error;
  }
}

async function serve(service: Service, config: Config, log: Log): Promise<void> {
  const ops = config.ops === null ? null : await OpsServer.open(service.vitals, config.ops);
  const { refusals } = service;
  const ending = { hasBegun: false };
  const server = createServer(
    { maxHeaderSize: MAX_HEAD_BYTES },
    createListener(service.routes, config, log, { refusals, ending }),
  );
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  try {
    const port = await listen(server, config);
    ops?.enter('serving');
    process.stdout.write(welcome(config, localUrl(config.host, port), ops?.port ?? null));
  } catch (error) {
    ops?.close();
    throw error;
  }
  onFirstSignal(async () => {
    ending.hasBegun = true;
    ops?.enter('draining');
    log.info({ streams: service.hub.size }, 'going down');
    void service.leave();
    // The port for operators answers to the very end.
    await drain(server, service.hub, { windowMs: config.drainMs, canMove: config.redis !== null });
    setTimeout(() => process.exit(1), LAST_WRITES_MS);
    await service.close();
    process.exit(0);
  });
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
    server.listen({ port, host, backlog: BACKLOG }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

function onFirstSignal(end: () => Promise<void>): void {
  let isEnding = false;
  const onSignal = () => {
    // Whoever asks twice does not want to wait.
    if (isEnding) process.exit(1);
    isEnding = true;
    void end();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
}

start().catch((error: unknown) => {
  process.stderr.write(`sluice: ${error instanceof Error ? error.message : 'could not start'}\n`);
  process.exitCode = 1;
});
