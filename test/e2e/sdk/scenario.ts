import type { RealtimeClient, RealtimeClientOptions, SubscribeOptions } from '@sluice/sdk';
import type { Control } from './control.js';
import type { Diary } from './diary.js';

export type TransportName = 'fetch' | 'eventsource';
export type Place = 'node' | 'page';

/** Where a scenario is played: all of it is JSON, for it travels to the environment. */
export interface Setting {
  readonly transport: TransportName;
  /** Where the service is, through a door that the scenario controls. */
  readonly endpoint: string;
  /** A workspace of the scenario's own. */
  readonly workspace: string;
  /** Where nobody listens. */
  readonly closedEndpoint: string;
  /** Where every request meets one fault: append its name. */
  readonly faultEndpoint: string;
}

/** What a scenario has at hand. */
export interface Stage extends Setting {
  readonly control: Control;
  /** A client of the scenario's workspace, with its transport and short pauses; closed when the scenario is over. */
  client(options: Partial<RealtimeClientOptions>): RealtimeClient;
  /** Subscribes, and takes down what is told from then on. */
  subscribe(client: RealtimeClient, options?: SubscribeOptions): Diary;
}

/**
 * Something that holds wherever the SDK runs. It sees nothing of the tests' side but its stage, so that one script plays
 * it in Node and in a page.
 */
export interface Scenario {
  /** A statement in the present tense. */
  readonly name: string;
  /** Default: everywhere. */
  readonly place?: Place;
  /** Whether it disturbs others: it changes the service, or the page. Default: false. */
  readonly isSolo?: boolean;
  play(stage: Stage): Promise<void>;
}

export interface Outcome {
  /** What went wrong, with the stack; `null` if nothing did. */
  readonly fault: string | null;
}
