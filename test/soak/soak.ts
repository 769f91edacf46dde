import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../support/random.js';
import { until } from '../support/until.js';
import { castSubscribers, runPublishers } from './cast.js';
import type { Verdict } from './checker.js';
import { Chance, faultsOf } from './faults.js';
import { Interruption } from './interruption.js';
import { Ledger, nameOf } from './ledger.js';
import { readOptions, type SoakOptions } from './options.js';
import { tableOf } from './table.js';
import type { SoakSubscriber } from './witness.js';
import { startWorld, type World } from './world.js';

// A long run: publishers number their events, subscribers check them, and meanwhile one part after the other fails.

/** Before the first fault, and between two of them. */
const REST_MS = { least: 500, most: 4_000 };
/** How long everybody may take to catch up once all is quiet. */
const QUIET_MS = 60_000;

/** Of what went wrong. */
const MOST_NAMED = 20;

type Row = readonly [name: string, value: string | number];

/** @returns the code to exit with: 0 where nothing was lost without a word, doubled, out of order or foreign. */
export async function main(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const options = readOptions(args, env);
  const interruption = new Interruption((reason) => say(`${clock()} ${reason}`));
  say(`soak: ${options.minutes} minutes, --seed ${options.seed}`);
  try {
    await using world = await startWorld(options.isEmbedded, interruption.signal);
    return await Promise.race([soak(world, options, interruption.signal), interruption.code]);
  } catch (error) {
    if (interruption.signal.aborted) return await interruption.code;
    throw error;
  }
}

async function soak(
  world: World,
  { minutes, seed }: SoakOptions,
  signal: AbortSignal,
): Promise<number> {
  const random = new Random(seed);
  const ledger = new Ledger();
  const faults = new Map<string, number>();
  // Publishing and wandering about, until all is to be quiet.
  const bustle = new AbortController();
  const { balancer, issuer } = world;
  const stage = { balancer, issuer, signal: AbortSignal.any([bustle.signal, signal]) };
  setMaxListeners(0, stage.signal);
  const subscribers = castSubscribers({ ...stage, random: random.fork() });
  const runs = subscribers.map((subscriber) => subscriber.run());
  await pause(REST_MS.most);
  const published = runPublishers({ ...stage, random: random.fork() }, ledger);
  published.catch(() => {});

  const isWell = await breakThings(world, minutes, new Chance(random, signal), faults);
  say(`${clock()} quiet`);
  bustle.abort();
  // What never came back must not keep the verdict away.
  await Promise.race([
    Promise.all([published, ...runs]),
    pause(QUIET_MS, undefined, { ref: false }),
  ]);
  await until('all have caught up', () => isCaughtUp(subscribers, ledger), QUIET_MS).catch(
    () => {},
  );
  const memory = await memoryOf(world);
  for (const subscriber of subscribers) subscriber.close();
  return conclude(subscribers, ledger, faults, memory) && isWell ? 0 : 1;
}

/** One fault after the other. @returns whether every part came back. */
async function breakThings(
  world: World,
  minutes: number,
  chance: Chance,
  faults: Map<string, number>,
): Promise<boolean> {
  const endsAt = performance.now() + minutes * 60_000;
  while (performance.now() < endsAt) {
    await chance.pause(REST_MS.least, REST_MS.most);
    const fault = chance.pick(faultsOf(world));
    say(`${clock()} ${fault.name}`);
    faults.set(fault.name, (faults.get(fault.name) ?? 0) + 1);
    try {
      await fault.run(world, chance);
    } catch (error) {
      chance.endIfOver();
      say(`it did not come back: ${error}`);
      return false;
    }
  }
  return true;
}

/** Whether everybody has the newest event of each topic; the verdict looks at all. */
function isCaughtUp(subscribers: readonly SoakSubscriber[], ledger: Ledger): boolean {
  const newest = new Map(ledger.taken.map((taken) => [`${taken.workspace}/${taken.topic}`, taken]));
  const last = [...newest.values()];
  return subscribers.every(({ witness }) => !last.some((taken) => witness.checker.awaits(taken)));
}

/** Prints the table. @returns whether all is as promised. */
function conclude(
  subscribers: readonly SoakSubscriber[],
  ledger: Ledger,
  faults: ReadonlyMap<string, number>,
  memory: readonly Row[],
): boolean {
  const sum: Verdict = {
    ...{ delivered: 0, lost: 0, missing: 0, doubled: 0 },
    ...{ disordered: 0, foreign: 0, gaps: 0 },
  };
  for (const { witness } of subscribers) {
    const verdict = witness.checker.verdict(ledger);
    for (const name of Object.keys(sum) as (keyof Verdict)[]) sum[name] += verdict[name];
  }
  const ended = subscribers.flatMap(({ witness }) => witness.faults);
  const outages = subscribers.map(({ witness }) => witness.longestOutage);
  const longest = outages.reduce((one, other) => (other.ms > one.ms ? other : one));
  const deliveries = subscribers.filter(({ isPrompt }) => isPrompt);
  const slowestMs = Math.max(...deliveries.map(({ witness }) => witness.slowestDeliveryMs));
  say(
    tableOf([
      ['events published', ledger.taken.length],
      ['of unknown outcome', ledger.unknown],
      ['events delivered', sum.delivered],
      ['lost', sum.lost],
      ['doubled', sum.doubled],
      ['out of order', sum.disordered],
      ['of another workspace or topic', sum.foreign],
      ['gaps reported', sum.gaps],
      ['missing in such gaps', sum.missing],
      ['clients that ended', ended.length],
      ['longest outage seen by a client (ms)', Math.round(longest.ms)],
      ['which ended at', clock(longest.endedAt)],
      ['slowest delivery (ms)', slowestMs],
      ...[...faults].sort(([one], [other]) => one.localeCompare(other)),
      ...memory,
    ]),
  );
  for (const fault of new Set(ended)) say(`ended: ${fault}`);
  sayWhatIsWrong(subscribers, ledger);
  const { lost, doubled, disordered, foreign } = sum;
  return lost + doubled + disordered + foreign + ended.length === 0 && sum.delivered > 0;
}

/** For whoever looks for the fault: what was lost or came twice, when it was taken, and for whom. */
function sayWhatIsWrong(subscribers: readonly SoakSubscriber[], ledger: Ledger): void {
  const wrong = subscribers.flatMap((subscriber) => {
    const { checker } = subscriber.witness;
    const { name } = subscriber;
    const lost = ledger.taken.filter((taken) => checker.awaits(taken));
    return [
      ...lost.map(
        (taken) =>
          `lost by ${name}: ${nameOf(taken)} at ${taken.cursor}, taken ${clock(taken.at)}; around it ${checker.around(taken.cursor)}`,
      ),
      ...checker.doubled().map((text) => `doubled for ${name}: ${text}`),
    ];
  });
  for (const line of wrong.slice(0, MOST_NAMED)) say(line);
}

/** What the nodes hold, as the kernel says; of other systems nothing. */
async function memoryOf({ nodes }: World): Promise<Row[]> {
  return await Promise.all(
    nodes.map(async ({ name, service }): Promise<Row> => {
      const status = await readFile(`/proc/${service.pid}/status`, 'utf8').catch(() => '');
      const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN);
      return [`memory of ${name} (MB)`, Math.round(kilobytes / 1024)];
    }),
  );
}

function clock(at = Date.now()): string {
  return new Date(at).toISOString().slice(11, 19);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
