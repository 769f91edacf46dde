import type { RealtimeError } from '../errors.js';
import { type CreateClient, Leader } from './leader.js';
import type { TabChannel, TabEnvironment } from './tab-environment.js';
import { presenceName, readTabMessage } from './tab-message.js';
import type { TabStream } from './tab-stream.js';

/** One attempt to lead, until that is over. */
type Candidacy = AbortController;

/**
 * One tab among those that share a stream. It leads while it holds a lock that all of them want. Nobody sends a token to
 * another tab: the tab that is given one takes the lead with it.
 */
export class Share {
  readonly name: string;
  readonly environment: TabEnvironment;
  /** Names this tab. */
  readonly tab: string;
  /** Resolves once the others can tell that this tab is there. */
  readonly present: Promise<void>;
  readonly channel: TabChannel;
  readonly #createClient: CreateClient;
  readonly #streams = new Set<TabStream>();
  #candidacy: Candidacy | null = null;
  #leader: Leader | null = null;
  #token: string | null;
  #leave: () => void = () => {};

  /** @param token the one that this tab was given last, if it leads; `null`: its client gets its own */
  constructor(
    name: string,
    environment: TabEnvironment,
    createClient: CreateClient,
    token: string | null,
  ) {
    this.name = name;
    this.environment = environment;
    this.#createClient = createClient;
    this.#token = token;
    this.tab = environment.newId();
    this.present = this.#bePresent();
    this.channel = environment.openChannel(name);
    this.channel.onmessage = ({ data }) => {
      if (readTabMessage(data)?.type !== 'leading') return;
      for (const stream of this.#streams) stream.onLeading();
    };
  }

  add(stream: TabStream): void {
    this.#streams.add(stream);
    if (this.#candidacy === null) void this.#stand({ isPatient: true });
  }

  delete(stream: TabStream): void {
    this.#streams.delete(stream);
  }

  /** Leads from now on, whoever did so before. */
  takeLead(): void {
    if (this.#leader !== null) return;
    this.#candidacy?.abort();
    void this.#stand({ isPatient: false });
  }

  /** The application has given this tab another token. */
  setToken(token: string): void {
    this.#token = token;
    if (this.#leader === null) this.takeLead();
    else this.#leader.setToken(token);
  }

  /** Is gone for the other tabs. */
  close(): void {
    this.#resign();
    this.channel.close();
    this.#leave();
  }

  /** Holds a lock for as long as this tab is there. It is free when the tab is gone, be it by a crash. */
  #bePresent(): Promise<void> {
    const left = new Promise<void>((resolve) => {
      this.#leave = resolve;
    });
    const { locks } = this.environment;
    if (locks === null) return Promise.resolve();
    return new Promise((resolve) => {
      const hold = (): Promise<void> => {
        resolve();
        return left;
      };
      // Without locks the tab goes on all the same.
      locks.request(presenceName(this.name, this.tab), {}, hold).catch(() => resolve());
    });
  }

  /** Leads as soon as nobody else does, or at once; and stands again when another tab has taken the lead. */
  async #stand({ isPatient }: { isPatient: boolean }): Promise<void> {
    const candidacy: Candidacy = new AbortController();
    this.#candidacy = candidacy;
    const { locks } = this.environment;
    if (locks === null) return this.#lead(candidacy);
    const options = isPatient ? { signal: candidacy.signal } : { steal: true };
    try {
      await locks.request(this.name, options, () => this.#lead(candidacy));
    } catch (error) {
      if (candidacy.signal.aborted) return;
      const isTaken = Object(error).name === 'AbortError';
      this.#resign();
      if (isTaken) void this.#stand({ isPatient: true });
      // There are locks, but not for this page: it has a stream of its own.
      else void this.#lead(new AbortController());
    }
  }

  async #lead(candidacy: Candidacy): Promise<void> {
    if (candidacy.signal.aborted) return;
    this.#candidacy = candidacy;
    const leader = new Leader(this.name, this.environment, this.#createClient, (error) => {
      if (leader === this.#leader) this.#onFailed(error);
    });
    if (this.#token !== null) leader.setToken(this.#token);
    this.#leader = leader;
    await leader.closed;
  }

  /** The client of this tab has given up. Whoever leads next tries with a token of its own. */
  #onFailed(error: RealtimeError | null): void {
    this.#resign();
    if (error !== null) for (const stream of this.#streams) stream.fail(error);
  }

  #resign(): void {
    this.#candidacy?.abort();
    this.#candidacy = null;
    this.#leader?.close();
    this.#leader = null;
  }
}
