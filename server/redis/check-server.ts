import type { RedisSettings } from '../config.js';
import { readRedirection } from './cluster-view.js';
import type { Link } from './link.js';
import { script } from './script.js';

/** Scripts with flags and sharded channels came with it. */
const LEAST_VERSION = 7;

/** Reads nothing and writes nothing: whether scripts may be run at all. */
const NOTHING = script('return 1', ['no-writes']);

/**
 * Whether a server can be worked with.
 * @throws Error that says why not
 */
export async function checkServer(
  link: Link,
  settings: RedisSettings,
  onWarning: (warning: string) => void,
): Promise<void> {
  const { address, prefix, minReplicas } = settings;
  const info = String(await link.commands.send('INFO'));
  const infoOf = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = infoOf('redis_version');
  if (Number.parseInt(version, 10) < LEAST_VERSION) {
    throw new Error(`it is version ${version}, and ${LEAST_VERSION} is the least`);
  }
  const mode = infoOf('redis_mode');
  if (mode === 'cluster' && address.kind !== 'cluster') {
    throw new Error('it is a server of a cluster: REDIS_URL must begin redis+cluster');
  }
  if (infoOf('role') !== 'master') throw new Error('it is a replica');
  const policy = infoOf('maxmemory_policy');
  if (policy !== 'noeviction' && policy !== '') {
    onWarning(
      `Redis may drop what it keeps when its memory is full (maxmemory-policy ${policy}): noeviction is safe`,
    );
  }
  const replicas = Number(infoOf('connected_slaves'));
  if (replicas < minReplicas) {
    onWarning(
      `REDIS_MIN_REPLICAS is ${minReplicas}, but ${replicas} are connected: nothing can be published until there are as many`,
    );
  }
  for (const doubt of doubtsOf(settings, infoOf)) onWarning(`REDIS_DURABLE is set, but ${doubt}`);
  const name = `${prefix}:check`;
  await allowing(link.commands.send('EVAL', NOTHING.lua, 1, name));
  await allowing(link.subscriber.subscribe(name));
  await link.subscriber.unsubscribe(name).catch(() => {});
  if (minReplicas > 0) await link.durable?.send('WAIT', 0, 1);
}

/** Why what Redis acknowledges may be lost although the settings say that it is not. */
function doubtsOf(
  { isDurable, minReplicas }: RedisSettings,
  infoOf: (name: string) => string,
): string[] {
  if (!isDurable) return [];
  const doubts: string[] = [];
  if (infoOf('aof_enabled') === '0') {
    doubts.push('Redis has no append-only file: a restart loses what came last (appendonly yes)');
  }
  if (Number(infoOf('connected_slaves')) > 0 && minReplicas === 0) {
    doubts.push('no replica is waited for: a fail-over loses what came last (REDIS_MIN_REPLICAS)');
  }
  return doubts;
}

/** A server of a cluster says that the name is another one's: then it may be used. */
async function allowing(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (readRedirection(error) === null) throw error;
  }
}
