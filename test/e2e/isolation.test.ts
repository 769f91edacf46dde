import { expect, it } from '@jest/globals';
import { matchesPattern, parseCursor, patternsOverlap, revocationsPath } from '@sluice/protocol';
import {
  type Node,
  type Nodes,
  openStream,
  publishUntilTaken,
  startNodes,
} from '../support/nodes.js';
import { Random } from '../support/random.js';
import type { RawStream } from '../support/raw-http.js';
import { type Claims, inSeconds } from '../support/tokens.js';
import { describeWith } from '../support/tools.js';

const WORKSPACES = Array.from({ length: 200 }, (_, index) => `ws-${index}`);
/** The last one of a batch, which everybody may see and asks for: then all before it should have come. */
const MARKER = 'marker';
const TOPICS = ['orders.eu', 'orders.us', 'users', 'documents', 'doc'];
const PATTERNS = ['*', 'orders.*', 'orders.eu', 'users', 'doc*', 'doc', '*s', 'nothing'];
const SUBSCRIBERS_PER_WORKSPACE = 2;
const DEADLINE_MS = 30_000;
const SEED = 20_261_121;
/** When tokens were issued that a revocation of now is about. */
const OLD = inSeconds(-60);

type Beginning = 'fresh' | 'first' | 'middle' | 'foreign';

interface Published {
  readonly workspace: string;
  readonly topic: string;
  readonly n: number;
}

/** Somebody with a random token, who asks for random topics. */
class Subscriber {
  readonly received: Published[] = [];
  cursor: string | null = null;
  stream: RawStream | null = null;
  isRevoked = false;

  constructor(
    readonly workspace: string,
    readonly subject: string,
    readonly token: string,
    /** Patterns that its token permits. */
    readonly permitted: readonly string[],
    readonly asked: readonly string[],
    readonly beginning: Beginning,
  ) {}

  wants({ topic }: Published): boolean {
    return [this.permitted, this.asked].every((patterns) =>
      patterns.some((pattern) => matchesPattern(pattern, topic)),
    );
  }

  async open({ service }: Node): Promise<void> {
    const query = `?topics=${this.asked.map(encodeURIComponent).join(',')}`;
    this.stream = await openStream(service, this.token, {
      ...{ workspace: this.workspace, query },
      ...(this.cursor !== null && { lastEventId: this.cursor }),
    });
    await this.stream.next('stream.connected', DEADLINE_MS);
  }

  /** Takes what its stream brings, up to the marker of a batch. */
  async readTo(batch: number): Promise<void> {
    const stream = this.stream as RawStream;
    for (;;) {
      const { id, data } = await stream.next('message', DEADLINE_MS);
      this.cursor = id ?? this.cursor;
      const event = data as { topic: string; data: Published };
      // What the event says of itself, and what its content says.
      expect(event.topic).toBe(event.data.topic);
      this.received.push(event.data);
      if (event.topic === MARKER && event.data.n === batch) return;
    }
  }
}

describeWith('redis-server', 'among 200 workspaces on two nodes', () => {
  it('nobody sees an event of a workspace or topic that they may not, and everybody sees what they may', async () => {
    await using nodes = await startNodes({
      env: { HEARTBEAT_MS: '1000', REDIS_DEADLINE_MS: '10000' },
    });
    const { first, second, issuer } = nodes;
    const random = new Random(SEED);
    const history = new Map<string, Published[]>(WORKSPACES.map((workspace) => [workspace, []]));
    const heads = new Map<string, string[]>(WORKSPACES.map((workspace) => [workspace, []]));
    const publishBatch = async (node: Node, n: number) => {
      await inChunks(WORKSPACES, async (workspace) => {
        const batch = [...TOPICS, MARKER].map((topic): Published => ({ workspace, topic, n }));
        const token = issuer.mint({ workspace, permissions: ['publish'] });
        const events = batch.map((data) => ({ topic: data.topic, type: 'made', data }));
        const url = () => node.service.url;
        const { cursors } = await publishUntilTaken(url, token, events, { workspace });
        history.get(workspace)?.push(...batch);
        heads.get(workspace)?.push(cursors.at(-1) ?? '');
      });
    };

    await publishBatch(first, 1);
    await publishBatch(second, 2);
    const subscribers = WORKSPACES.flatMap((workspace) =>
      Array.from({ length: SUBSCRIBERS_PER_WORKSPACE }, (_, index) =>
        cast(nodes, random, workspace, index),
      ),
    );
    try {
      await inChunks(subscribers, async (subscriber) => {
        subscriber.cursor = cursorFor(subscriber, heads, random);
        await subscriber.open(random.pick(nodes.nodes));
      });
      await publishBatch(first, 3);
      await inChunks(subscribers, (subscriber) => subscriber.readTo(3));

      // With a token of one workspace, no other one is entered.
      await inChunks(subscribers.slice(0, 50), async ({ token, workspace }) => {
        const other = random.pick(WORKSPACES.filter((name) => name !== workspace));
        using stream = await openStream(second.service, token, { workspace: other });
        expect((await stream.head).status).toBe(403);
      });

      // Some tokens are revoked, by one node or the other.
      const revoked = subscribers.filter(() => random.next() < 0.2);
      await inChunks(revoked, async (subscriber) => {
        await revoke(nodes, random.pick(nodes.nodes), subscriber);
        const { data } = await (subscriber.stream as RawStream).next('stream.error', DEADLINE_MS);
        expect(data).toMatchObject({ code: 'INVALID_TOKEN' });
        subscriber.isRevoked = true;
      });
      await publishBatch(second, 4);
      const others = subscribers.filter(({ isRevoked }) => !isRevoked);
      await inChunks(others, (subscriber) => subscriber.readTo(4));

      // Whoever was on the node that is gone comes back on the other one; so does everybody else.
      await first.service.kill();
      await publishBatch(second, 5);
      await inChunks(others, async (subscriber) => {
        subscriber.stream?.[Symbol.dispose]();
        await subscriber.open(second);
        await subscriber.readTo(5);
      });
      await inChunks(revoked, async ({ token, workspace }) => {
        using stream = await openStream(second.service, token, { workspace });
        expect((await stream.head).status).toBe(401);
      });

      for (const subscriber of subscribers) {
        const { workspace, beginning, isRevoked } = subscriber;
        const begins = { fresh: 3, first: 1, middle: 2, foreign: 1 }[beginning];
        const ends = isRevoked ? 3 : 5;
        const expected = (history.get(workspace) ?? []).filter(
          (published) =>
            published.n >= begins && published.n <= ends && subscriber.wants(published),
        );
        expect({ workspace, events: subscriber.received }).toEqual({ workspace, events: expected });
      }
    } finally {
      for (const { stream } of subscribers) stream?.[Symbol.dispose]();
    }
  }, 120_000);
});

/** Somebody who may see some topics of a workspace, and asks for some. */
function cast({ issuer }: Nodes, random: Random, workspace: string, index: number): Subscriber {
  const permitted = [MARKER, random.pick(PATTERNS), random.pick(PATTERNS)];
  // Naming what is not permitted would be refused.
  const askable = PATTERNS.filter((pattern) =>
    permitted.some((other) => patternsOverlap(pattern, other)),
  );
  const asked =
    askable.length === 0 ? [MARKER] : [MARKER, random.pick(askable), random.pick(askable)];
  const subject = `subscriber-${workspace}-${index}`;
  const forms: readonly { claims: Claims; permitted: readonly string[] }[] = [
    { claims: { permissions: { rooms: permitted }, role: 'client' }, permitted },
    {
      claims: {
        permissions: Object.fromEntries(permitted.map((pattern) => [pattern, ['subscribe']])),
      },
      permitted,
    },
    { claims: { permissions: undefined, roles: ['client'] }, permitted: ['*'] },
    { claims: { permissions: undefined, scope: 'realtime:subscribe' }, permitted: ['*'] },
  ];
  const form = random.pick(forms);
  const beginning = random.pick<Beginning>(['fresh', 'first', 'middle', 'foreign']);
  const token = issuer.mint({ sub: subject, workspace, iat: OLD, ...form.claims });
  return new Subscriber(workspace, subject, token, form.permitted, asked, beginning);
}

/** The cursor that somebody resumes with, and so the first batch that is theirs. */
function cursorFor(
  { workspace, beginning }: Subscriber,
  heads: ReadonlyMap<string, readonly string[]>,
  random: Random,
): string | null {
  const [first = ''] = heads.get(workspace) ?? [];
  switch (beginning) {
    case 'fresh':
      return null;
    case 'first':
      return `${parseCursor(first)?.epoch}-0`;
    case 'middle':
      return first;
    case 'foreign': {
      const other = random.pick(WORKSPACES.filter((name) => name !== workspace));
      return heads.get(other)?.at(-1) ?? null;
    }
  }
}

async function revoke(
  { issuer }: Nodes,
  { service }: Node,
  { workspace, subject }: Subscriber,
): Promise<void> {
  const response = await fetch(service.url + revocationsPath(workspace), {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${issuer.mint({ workspace, permissions: undefined, roles: ['admin'] })}`,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({ sub: subject }),
  });
  expect(response.status).toBe(201);
}

/** Does it with all of them, some at once. */
async function inChunks<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}
