import { afterAll, beforeAll } from '@jest/globals';
import { describeWith, type ToolName } from '../tools.js';
import { describeLogs } from './describe-logs.js';
import { describeStreams } from './describe-streams.js';
import { type ProxiedService, startProxiedService } from './proxied-service.js';
import type { StartProxy } from './proxy.js';

/** A line of an access log, as far as the tests read it. */
export interface AccessLine {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly requestId: string;
}

export interface ProxyTraits {
  /** The output that is the access log. */
  readonly accessLog: string;
  /** Reads its line; by default it is a JSON object with the members of `AccessLine`. */
  readonly readLine?: (line: string) => AccessLine | null;
  /** How many requests at once get over the proxy's own limit; it has none by default. */
  readonly flood?: number;
}

/** What every proxy in front of Sluice must do, tried with a real one. */
export function describeProxy(program: ToolName, start: StartProxy, traits: ProxyTraits): void {
  describeWith(program, `Sluice behind ${program}`, (path) => {
    const setting: { current: ProxiedService | null } = { current: null };
    const proxied = (): ProxiedService => {
      if (setting.current === null) throw new Error('the proxy was not started');
      return setting.current;
    };
    beforeAll(async () => {
      setting.current = await startProxiedService((options) => start(path, options));
    }, 40_000);
    afterAll(async () => {
      await setting.current?.[Symbol.asyncDispose]();
    });
    describeStreams(proxied, traits);
    // Last: in its end nobody listens behind the proxy.
    describeLogs(proxied, traits);
  });
}
