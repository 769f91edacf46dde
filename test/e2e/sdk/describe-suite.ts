import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Environment } from './environment.js';
import { type Harness, startHarness } from './harness.js';
import type { Outcome, Place, TransportName } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

const TRANSPORTS: readonly TransportName[] = ['fetch', 'eventsource'];
const SCENARIO_DEADLINE_MS = 70_000;
const START_DEADLINE_MS = 60_000;

/** What a test file adds of its own, once the scenarios are over. */
export interface Suite<Kind extends Environment> {
  readonly harness: Harness;
  readonly environment: Kind;
}

export interface SuiteOptions<Kind extends Environment> {
  readonly place: Place;
  /** The Node that runs the service. Default: the one that runs the tests. */
  readonly nodeBinary?: string;
  start(harness: Harness): Promise<Kind>;
  /** More tests of the same environment. */
  more?(suite: () => Suite<Kind>): void;
}

/** A test for each scenario and transport, in one environment. */
export function describeSuite<Kind extends Environment>(options: SuiteOptions<Kind>): void {
  let suite: Suite<Kind> | null = null;
  const started = (): Suite<Kind> => {
    if (suite === null) throw new Error('the environment did not start');
    return suite;
  };
  beforeAll(async () => {
    const harness = await startHarness(options.nodeBinary);
    try {
      suite = { harness, environment: await options.start(harness) };
    } catch (error) {
      await harness[Symbol.asyncDispose]();
      throw error;
    }
  }, START_DEADLINE_MS);
  afterAll(async () => {
    await suite?.environment[Symbol.asyncDispose]();
    await suite?.harness[Symbol.asyncDispose]();
  }, START_DEADLINE_MS);

  const scenarios = SCENARIOS.filter(({ place = options.place }) => place === options.place);
  // Most of their time is waiting. Those that disturb nobody wait together.
  const together = new Map<string, Promise<Outcome>>();
  beforeAll(() => {
    for (const transport of TRANSPORTS) {
      for (const { name, isSolo = false } of scenarios) {
        if (isSolo) continue;
        together.set(`${name} over ${transport}`, playOn(started(), transport, name));
      }
    }
  });
  describe.each(TRANSPORTS)('over %s', (transport) => {
    it.each(scenarios.map(({ name }) => name))(
      '%s',
      async (name) => {
        const early = together.get(`${name} over ${transport}`);
        if (early === undefined) await Promise.all(together.values());
        const { fault } = await (early ?? playOn(started(), transport, name));
        if (fault !== null) throw new Error(fault);
      },
      SCENARIO_DEADLINE_MS,
    );
  });
  it('gives no cause for warnings and uncaught errors', async () => {
    expect(await started().environment.complaints()).toEqual([]);
  });
  options.more?.(started);
}

/** Resolves in any case. */
async function playOn(
  { harness, environment }: Suite<Environment>,
  transport: TransportName,
  name: string,
): Promise<Outcome> {
  try {
    await using stage = await harness.openStage(transport);
    return await environment.play(name, stage.setting, stage.control);
  } catch (error) {
    return { fault: String(error) };
  }
}
