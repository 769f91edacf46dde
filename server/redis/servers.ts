import type { RedisSettings } from '../config.js';
import { Link, type LinkListener } from './link.js';

/** Where a command goes, after another server has answered. */
export interface Redirection {
  readonly link: Link;
  /** Its slot is on its way: this one command is to be sent there, and no other. */
  readonly isAsking: boolean;
}

/** The servers that keep the keys. */
export interface Servers {
  /** Those that must be there. */
  readonly links: readonly Link[];
  /** Whether all are known, and connected. */
  readonly isReady: boolean;
  /** `null` while nobody is known to have the key. */
  linkOf(key: string): Link | null;
  /** Takes note of what a server has answered. `null`: the next try finds its way by `linkOf`. */
  redirect(error: unknown): Redirection | null;
  /** Finds out how they are; called again and again. */
  probe(): void;
  close(): void;
}

/** One server, at one place or wherever the Sentinels say. */
export class OneServer implements Servers {
  readonly links: readonly Link[];
  private readonly link: Link;

  constructor(settings: RedisSettings, listener: LinkListener) {
    this.link = new Link(settings, null, listener);
    this.links = [this.link];
  }

  get isReady(): boolean {
    return this.link.isReady;
  }

  linkOf(): Link {
    return this.link;
  }

  redirect(): null {
    return null;
  }

  probe(): void {
    this.link.probe();
  }

  close(): void {
    this.link.close();
  }
}
