import type { Link } from './link.js';

/** What may be in one group, so that no group takes longer than a few milliseconds to execute. */
const MAX_GROUP = 1_000;

interface Item {
  readonly send: () => Promise<unknown>;
  /** Whether nobody waits for it any more. */
  readonly isOver: () => boolean;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Fewer replicas than wanted had it in time. */
export class TooFewReplicas extends Error {
  constructor(wanted: number, had: number) {
    super(`${had} of ${wanted} replicas have what was written`);
    this.name = 'TooFewReplicas';
  }
}

/**
 * Lets everything that is written to one server at the same time wait for the replicas together: while one group waits, the
 * next one gathers. "WAIT blocks until all the previous write commands [of this connection] are acknowledged by at least
 * the number of replicas you specify."
 */
export class DurableGroups {
  private readonly waiting = new WeakMap<Link, Item[]>();

  constructor(
    private readonly replicas: number,
    private readonly waitMs: number,
  ) {}

  /** @param send sends a command on the link's durable connection, in the same turn. */
  add(link: Link, send: () => Promise<unknown>, isOver: () => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const item = { send, isOver, resolve, reject };
      const gathering = this.waiting.get(link);
      if (gathering !== undefined) {
        gathering.push(item);
        return;
      }
      this.waiting.set(link, [item]);
      void this.run(link);
    });
  }

  private async run(link: Link): Promise<void> {
    // The rest of this turn belongs into the first group.
    await new Promise(setImmediate);
    for (;;) {
      const gathering = this.waiting.get(link) as Item[];
      const group = gathering.splice(0, MAX_GROUP).filter(({ isOver }) => !isOver());
      if (group.length > 0) await this.commit(link, group);
      else if (gathering.length === 0) break;
    }
    this.waiting.delete(link);
  }

  /** It does not reject. */
  private async commit(link: Link, group: readonly Item[]): Promise<void> {
    const sent = group.map(({ send, reject }) => {
      const reply = send();
      // What was refused wrote nothing: there is nothing to wait for.
      reply.catch(reject);
      return reply;
    });
    const waited = this.wait(link);
    const replies = await Promise.allSettled(sent);
    const outcome = await waited;
    for (const [index, { resolve, reject }] of group.entries()) {
      const reply = replies[index] as PromiseSettledResult<unknown>;
      if (reply.status === 'rejected') continue;
      if (outcome === null) resolve(reply.value);
      else reject(outcome);
    }
  }

  /** `null` when enough replicas have all that was sent on the connection. */
  private async wait(link: Link): Promise<unknown> {
    try {
      const had = Number(await link.durable?.send('WAIT', this.replicas, Math.ceil(this.waitMs)));
      return had >= this.replicas ? null : new TooFewReplicas(this.replicas, had);
    } catch (error) {
      // Whether the replicas have it is not known, whatever the reason: it must not look as if nothing was executed.
      return new Error('the replicas could not be waited for', { cause: error });
    }
  }
}
