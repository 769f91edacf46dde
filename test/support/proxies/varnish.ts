import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePorts } from '../free-port.js';
import { findTool } from '../tools.js';
import { until } from '../until.js';
import type { ProxyOptions, StartProxy } from './proxy.js';
import { adaptShipped, ProxyProcesses, type Replacement } from './proxy-processes.js';
import { type CheckingProxy, startReadinessServer } from './readiness-server.js';

const VCL = 'sluice.vcl';
const FORMAT = 'sluice.format';
const CERTIFICATE = 'sluice.pem';
const HITCH_CONFIG = 'hitch.conf';
const IS_ROOT = process.getuid?.() === 0;

/** What a test changes in the files of `ops/varnish`. */
export interface VarnishChanges {
  readonly arguments?: readonly Replacement[];
  readonly vcl?: readonly Replacement[];
  readonly logFormat?: readonly Replacement[];
}

/** Varnish with Hitch before it and varnishncsa for its log, with `ops/varnish`. */
export const startVarnish: StartProxy = (program, options) =>
  startVarnishWith(program, options, {});

/** The same with further changes, for what a test shows to be wrong. */
export async function startVarnishWith(
  program: string,
  { upstreamPort, certFile, keyFile }: ProxyOptions,
  changes: VarnishChanges,
): Promise<CheckingProxy> {
  const [tlsPort = 0, plainPort = 0] = await freePorts(2);
  const readiness = await startReadinessServer();
  const processes = await ProxyProcesses.create('varnish');
  const dispose = async () => {
    await processes[Symbol.asyncDispose]();
    await readiness[Symbol.asyncDispose]();
  };
  try {
    const vcl = await writeVcl(processes, upstreamPort, readiness.port, changes.vcl);
    const unit = await adaptShipped('varnish/varnish.service.conf', [
      [
        '/run/varnish/sluice.sock,PROXY,user=_hitch,mode=600',
        `${processes.at('sock')},PROXY,mode=666`,
      ],
      ['plain=:80', `plain=127.0.0.1:${plainPort}`],
      ['/etc/varnish/sluice.vcl', vcl],
      ['-n sluice', `-n ${processes.at('work')}`],
      // Only root may give a right away.
      ['-j unix,user=vcache', IS_ROOT ? '-j unix,user=vcache' : '-j none'],
      ...(changes.arguments ?? []),
    ]);
    processes.start('varnishd', program, argumentsOf(unit));
    await processes.listening(plainPort);
    await startLog(processes, program, changes.logFormat);
    await startHitch(processes, tlsPort, { certFile, keyFile });
    await processes.listening(tlsPort);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    name: 'varnish',
    tlsPort,
    plainPort,
    readiness,
    outputs: () => processes.outputs([VCL, FORMAT, CERTIFICATE, HITCH_CONFIG]),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Starts Hitch before Varnish. */
async function startHitch(
  processes: ProxyProcesses,
  tlsPort: number,
  { certFile, keyFile }: Pick<ProxyOptions, 'certFile' | 'keyFile'>,
): Promise<void> {
  const hitch = findTool('hitch');
  if (!('path' in hitch)) throw new Error(`there is no hitch: ${hitch.missing}`);
  const pem = Buffer.concat([await readFile(keyFile), await readFile(certFile)]);
  const text = await adaptShipped('varnish/hitch.conf', [
    ['"[*]:443"', `"[127.0.0.1]:${tlsPort}"`],
    ['/run/varnish/sluice.sock', processes.at('sock')],
    ['/etc/hitch/sluice.pem', await processes.write(CERTIFICATE, pem.toString())],
    ['user = "_hitch"', IS_ROOT ? 'user = "_hitch"' : ''],
    ['group = "_hitch"', IS_ROOT ? 'group = "_hitch"' : ''],
  ]);
  const config = await processes.write(HITCH_CONFIG, text);
  await processes.run(hitch.path, ['--test', `--config=${config}`]);
  processes.start('hitch', hitch.path, [`--config=${config}`]);
}

async function writeVcl(
  processes: ProxyProcesses,
  upstreamPort: number,
  opsPort: number,
  changes: readonly Replacement[] = [],
): Promise<string> {
  const text = await adaptShipped('varnish/sluice.vcl', [
    ['10.0.0.11', '127.0.0.1', 2],
    ['10.0.0.12', '127.0.0.1', 2],
    ['.port = "3000"', `.port = "${upstreamPort}"`, 2],
    ['.port = "9464"', `.port = "${opsPort}"`, 2],
    ['.interval = 2s', '.interval = 100ms'],
    ['.first_byte_timeout = 60s', '.first_byte_timeout = 3s', 2],
    ...changes,
  ]);
  return await processes.write(VCL, text);
}

/** Starts varnishncsa, and waits until it follows. */
async function startLog(
  processes: ProxyProcesses,
  varnishd: string,
  changes: readonly Replacement[] = [],
): Promise<void> {
  const pidFile = processes.at('varnishncsa.pid');
  const format = await processes.write(
    FORMAT,
    await adaptShipped('varnish/sluice.format', changes),
  );
  const unit = await adaptShipped('varnish/varnishncsa.service.conf', [
    // It stays a child of the test.
    ['  -D \\\n', ''],
    ['/run/varnishncsa/varnishncsa.pid', pidFile],
    ['-n sluice', `-n ${processes.at('work')}`],
    ['/var/log/varnish/sluice.log', processes.at('access.log')],
    ['/etc/varnish/sluice.format', format],
  ]);
  const program = join(dirname(varnishd), '../bin/varnishncsa');
  processes.start('varnishncsa', program, argumentsOf(unit));
  await until('varnishncsa follows', async () => (await readFile(pidFile)).length > 0);
}

/** What a unit starts its program with: an option a line, with its value. */
function argumentsOf(unit: string): string[] {
  const command = unit.slice(unit.indexOf('ExecStart=/'));
  const [, ...lines] = command.trim().split(/ \\\n +/);
  return lines.flatMap((line) => {
    const [, option = '', value] = /^(\S+)(?: (.*))?$/.exec(line) ?? [];
    return value === undefined ? [option] : [option, value];
  });
}
