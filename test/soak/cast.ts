import { patternsOverlap } from '@sluice/protocol';
import type { Random } from '../support/random.js';
import { inSeconds, type TestIssuer } from '../support/tokens.js';
import type { Ledger } from './ledger.js';
import { runPublisher } from './publishers.js';
import { type Habit, SdkSubscriber } from './sdk-subscriber.js';
import { WireSubscriber } from './wire-subscriber.js';
import type { SoakSubscriber, Wish } from './witness.js';

const WORKSPACES = Array.from({ length: 6 }, (_, index) => `soak-${index + 1}`);
const TOPICS = ['orders.eu', 'orders.us', 'users', 'documents'];
const SDK_SUBSCRIBERS = 60;
const WIRE_SUBSCRIBERS = 12;
/** What subscribers ask for; empty: all that they may see. */
const ASKED: readonly (readonly string[])[] = [[], ['orders.*'], ['users', 'documents'], ['*s']];
/** What their tokens permit. */
const PERMITTED: readonly (readonly string[])[] = [
  ['*'],
  ['orders.*', 'users'],
  ['orders.eu', 'd*'],
];
const HABITS: readonly Habit[] = ['steady', 'steady', 'steady', 'slow', 'fleeting'];
/** Some tokens end often, so that streams are renewed under faults. */
const LIFETIMES_SECONDS = [12, 30, 3_600];

interface Stage {
  readonly balancer: { readonly url: string; readonly port: number };
  readonly issuer: TestIssuer;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Subscribers of all workspaces and of all habits. */
export function castSubscribers({ balancer, issuer, random, signal }: Stage): SoakSubscriber[] {
  return Array.from({ length: SDK_SUBSCRIBERS + WIRE_SUBSCRIBERS }, (_, index) => {
    const wish = castWish(index, random);
    const lifetime = random.pick(LIFETIMES_SECONDS);
    const permissions = wish.permitted.map((pattern) => [pattern, ['subscribe']]);
    const token = () =>
      issuer.mint({
        sub: `subscriber-${index}`,
        workspace: wish.workspace,
        exp: inSeconds(lifetime),
        permissions: Object.fromEntries(permissions),
      });
    if (index >= SDK_SUBSCRIBERS)
      return new WireSubscriber({ ...wish, port: balancer.port, token });
    const habit = random.pick(HABITS);
    const chance = random.fork();
    return new SdkSubscriber({ ...wish, url: balancer.url, token, habit, random: chance, signal });
  });
}

function castWish(index: number, random: Random): Wish {
  const workspace = WORKSPACES[index % WORKSPACES.length] as string;
  const permitted = random.pick(PERMITTED);
  // Naming what is not permitted would be refused.
  const askable = ASKED.filter((patterns) =>
    patterns.every((asked) => permitted.some((pattern) => patternsOverlap(asked, pattern))),
  );
  return { workspace, permitted, topics: random.pick(askable) };
}

/** One publisher for each topic of each workspace. Resolves when all have been told to stop and have done so. */
export async function runPublishers(stage: Stage, ledger: Ledger): Promise<void> {
  const { balancer, issuer, random, signal } = stage;
  const { url } = balancer;
  await Promise.all(
    WORKSPACES.flatMap((workspace) =>
      TOPICS.map((topic) => {
        const token = () =>
          issuer.mint({ sub: `publisher-${topic}`, workspace, permissions: ['publish'] });
        return runPublisher({
          ...{ url, token, workspace, topic, ledger, signal },
          random: random.fork(),
        });
      }),
    ),
  );
}
