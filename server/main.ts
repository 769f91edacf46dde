import './ops/quiet-libraries.js';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createService } from './app.js';
import { compose, type Service } from './compose.js';
import { type Config, expectConfig, inspectConfig, localUrl, type OpsSettings } from './config.js';
import { answerTo } from './ops/command-line.js';
import { createLog, type ServiceLog } from './ops/log.js';
import type { OpsServer } from './ops/ops-server.js';
import { watchProcess } from './ops/process-faults.js';
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
  // Node would write the first bytes of bodies, with secrets in them, to standard error, and nothing in the process can stop it.
  if (process.env['NODE_DEBUG']) {
    throw new Error('NODE_DEBUG must not be set: secrets would be written out');
  }
  const report = inspectConfig(process.env);
  const config = expectConfig(report);
  const log = createLog(config.logLevel);
  for (const warning of report.warnings) log.warn({}, warning);
  watchProcess(log);
  try {
    const service = await compose(config, log);
    try {
      await serve(service, config, log);
    } catch (error) {
      // What is open would keep the process alive.
      await service.close();
      throw error;
    }
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function serve(service: Service, config: Config, log: ServiceLog): Promise<void> {
  const ops = config.ops === null ? null : await openOps(service, config.ops);
  const { refusals } = service;
  const ending = { hasBegun: false };
  const server = createService({ maxHeaderSize: MAX_HEAD_BYTES }, service.routes, config, log, {
    refusals,
    ending,
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  try {
    const port = await listen(server, config);
    ops?.enter('serving');
    process.stdout.write(welcome(config, localUrl(config.host, port), ops?.port ?? null));
  } catch (error) {
    ops?.close();
    throw error;
  }
  // Whoever rotates logs moves the file away first. A terminal that closes ends the service where there is no such file.
  if (isFile(config.auditLog)) process.on('SIGHUP', () => service.audit.reopen());
  onFirstSignal(async () => {
    ending.hasBegun = true;
    ops?.enter('draining');
    const startedAt = performance.now();
    log.info({ streams: service.hub.size }, 'going down');
    void service.leave();
    // The port for operators answers to the very end.
    await drain(server, service.hub, { windowMs: config.drainMs, canMove: config.redis !== null });
    setTimeout(() => process.exit(1), LAST_WRITES_MS);
    const durationMs = Math.round(performance.now() - startedAt);
    log.info({ durationMs, streams: service.hub.size }, 'ended');
    await service.close();
    await log.close();
    process.exit(0);
  });
}

async function openOps({ vitals }: Service, settings: OpsSettings): Promise<OpsServer> {
  // Loaded where it is wanted: what writes metrics is large.
  const { OpsServer } = await import('./ops/ops-server.js');
  return OpsServer.open(vitals, settings);
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

function isFile(auditLog: string): boolean {
  return auditLog !== 'off' && auditLog !== 'stderr';
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

// Whoever reads no further (| head) does not end the service.
process.stdout.on('error', () => {});

const answer = answerTo(process.argv.slice(2));
if (answer !== null) {
  process.stdout.write(answer.stdout);
  process.stderr.write(answer.stderr);
  process.exitCode = answer.exitCode;
} else {
  start().catch((error: unknown) => {
    process.stderr.write(`sluice: ${error instanceof Error ? error.message : 'could not start'}\n`);
    process.exitCode = 1;
  });
}
