import { expect, it } from '@jest/globals';
import { describeSuite } from './describe-suite.js';
import { startNodeEnvironment } from './node-environment.js';

/** The suite in this version of Node, against a service that runs on it as well. */
export function describeNode(nodeBinary: string, major: number): void {
  describeSuite({
    place: 'node',
    nodeBinary,
    start: () => startNodeEnvironment(nodeBinary),
    more: (suite) => {
      it('leaves nothing behind that keeps the process alive', async () => {
        expect(await suite().environment.end()).toBe(true);
      });

      it(`gives the service no cause for warnings on Node ${major}`, async () => {
        const { service } = suite().harness.playground;
        expect(await service.stop()).toEqual({ code: 0, signal: null });
        expect(service.stderr.items.filter((line) => /warning/i.test(line))).toEqual([]);
      });
    },
  });
}
