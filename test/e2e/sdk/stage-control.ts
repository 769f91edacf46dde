import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { numbered, type Playground, publish } from '../../support/playground.js';
import { createSigningKey, inSeconds } from '../../support/tokens.js';
import type { Control, ServiceAccount, StreamReport, TokenWish } from './control.js';
import type { StreamDoor, Tally } from './stream-door.js';

/** Between the events of a flow, so that it is neither a trickle nor a flood. */
const FLOW_PAUSE_MS = 40;
const HOUR_SECONDS = 3_600;

/** The control of one scenario, on the tests' side. */
export class StageControl implements Control {
  readonly #playground: Playground;
  readonly #door: StreamDoor;
  readonly #workspace: string;
  readonly #subject = `subject-${randomUUID()}`;
  readonly serviceAccount: () => Promise<ServiceAccount>;
  /** Set by the environment that has a network to take away. */
  setOffline: (isOffline: boolean) => Promise<void> = async () => {
    throw new Error('this environment cannot be taken offline');
  };
  #isFlowing = false;
  #flow: Promise<number> = Promise.resolve(0);

  constructor(
    playground: Playground,
    door: StreamDoor,
    workspace: string,
    serviceAccount: () => Promise<ServiceAccount>,
  ) {
    this.#playground = playground;
    this.#door = door;
    this.#workspace = workspace;
    this.serviceAccount = serviceAccount;
  }

  async token({
    lifeSeconds = HOUR_SECONDS,
    workspace = this.#workspace,
    permissions = ['realtime:subscribe'],
    isForged = false,
  }: TokenWish = {}): Promise<string> {
    const { issuer } = this.#playground;
    const claims = {
      sub: this.#subject,
      jti: randomUUID(),
      workspace,
      permissions,
      // One that has ended was given out before it did.
      iat: inSeconds(Math.min(0, lifeSeconds * 2)),
      exp: inSeconds(lifeSeconds),
    };
    if (!isForged) return issuer.mint(claims);
    const kid = issuer.keys[0]?.kid ?? '';
    return issuer.mint(claims, { key: await createSigningKey('ES256', { kid }) });
  }

  async publish(from: number, to: number, topic = 'orders'): Promise<void> {
    const { service, issuer } = this.#playground;
    const token = issuer.mint({ workspace: this.#workspace });
    await publish(service.url, token, numbered(from, to, topic), this.#workspace);
  }

  async startFlow(): Promise<void> {
    this.#isFlowing = true;
    this.#flow = this.#flowOn();
    // A flow that breaks is told to whoever stops it.
    this.#flow.catch(() => {});
  }

  async stopFlow(): Promise<number> {
    this.#isFlowing = false;
    return await this.#flow;
  }

  async cut(): Promise<void> {
    this.#door.cut();
  }

  async refuse(): Promise<void> {
    this.#door.refuse();
  }

  async accept(): Promise<void> {
    this.#door.accept();
  }

  async restartService(): Promise<void> {
    const { service } = this.#playground;
    await service.stop();
    await service.start();
  }

  async streams({ opened, open }: Tally): Promise<void> {
    const { tallies } = this.#door;
    await tallies.find(
      (tally) => tally === tallies.items.at(-1) && tally.opened === opened && tally.open === open,
    );
  }

  async streamReport(): Promise<StreamReport> {
    const { tallies, tokenPlaces } = this.#door;
    return { most: Math.max(...tallies.items.map(({ open }) => open)), tokenPlaces };
  }

  async #flowOn(): Promise<number> {
    let last = 0;
    while (this.#isFlowing) {
      await this.publish(last + 1, last + 1);
      last++;
      await pause(FLOW_PAUSE_MS);
    }
    return last;
  }
}
