/** What the tests' side does for a scenario, wherever that runs. Arguments and answers are JSON. */
export interface Control {
  /** A token of the scenario's workspace that may subscribe, unless the wish says otherwise. */
  token(wish?: TokenWish): Promise<string>;
  /** Publishes events that carry the numbers `from` to `to`; resolves once the service has them. */
  publish(from: number, to: number, topic?: string): Promise<void>;
  /** Publishes the numbers from 1 on, one after another, until `stopFlow`. */
  startFlow(): Promise<void>;
  /** Resolves to the last number that was published. */
  stopFlow(): Promise<number>;
  /** Resets the connection of every stream. */
  cut(): Promise<void>;
  /** Resets every new connection, until `accept`. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** Ends the service as its supervisor would, and starts it anew. */
  restartService(): Promise<void>;
  /** Resolves once exactly so many streams have been opened, and so many of them are open; fails if that does not come. */
  streams(expected: { readonly opened: number; readonly open: number }): Promise<void>;
  /** What the streams were like that were opened so far. */
  streamReport(): Promise<StreamReport>;
  /** Makes a service account for the scenario's workspace. */
  serviceAccount(): Promise<ServiceAccount>;
  /** Takes the network from the page, or gives it back. Pages only. */
  setOffline(isOffline: boolean): Promise<void>;
}

export interface TokenWish {
  /** Seconds until its end; below 0 it has ended. Default: an hour. */
  readonly lifeSeconds?: number;
  /** Default: the scenario's own. */
  readonly workspace?: string;
  readonly permissions?: readonly string[];
  /** Signed with a key that the service does not know. */
  readonly isForged?: boolean;
}

export interface ServiceAccount {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface StreamReport {
  /** The most that were open at the same time. */
  readonly most: number;
  /** How each of them showed its token: `header`, `stream_token` or `access_token`. */
  readonly tokenPlaces: readonly string[];
}

const METHODS = [
  'token',
  'publish',
  'startFlow',
  'stopFlow',
  'cut',
  'refuse',
  'accept',
  'restartService',
  'streams',
  'streamReport',
  'serviceAccount',
  'setOffline',
] as const satisfies readonly (keyof Control)[];

/** Carries a call of one scenario to the tests' side, and its answer back. */
export type Call = (method: string, args: readonly unknown[]) => Promise<unknown>;

/** The control as a scenario sees it, at the other end of a wire. */
export function remoteControl(call: Call): Control {
  const entries = METHODS.map((name) => [name, (...args: unknown[]) => call(name, args)]);
  return Object.fromEntries(entries) as Control;
}

/** Answers a call that came over the wire. */
export function answerCall(control: Control, method: string, args: readonly unknown[]) {
  const name = METHODS.find((known) => known === method);
  if (name === undefined) throw new Error(`there is no ${method} among the controls`);
  const act = control[name] as (...args: unknown[]) => Promise<unknown>;
  return act.apply(control, [...args]);
}
