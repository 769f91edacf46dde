import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { numbered, startPlayground, WORKSPACE } from '../support/playground.js';
import { describeWith } from '../support/tools.js';

const run = promisify(execFile);
const SMOKE = join(import.meta.dirname, '../support/sdk-smoke.js');

// The Node that runs the tests is tried by every other test.
for (const major of [22, 24] as const) {
  describeWith(`node-${major}`, `Node ${major}`, (nodeBinary) => {
    it('runs the service and the SDK', async () => {
      await using playground = await startPlayground({ nodeBinary });
      const { proxy, service, token } = playground;
      const env = {
        PATH: process.env['PATH'] ?? '',
        SMOKE_ENDPOINT: proxy.url,
        SMOKE_WORKSPACE: WORKSPACE,
        SMOKE_TOKEN: token,
        SMOKE_EVENTS: '20',
      };
      const smoke = run(nodeBinary, [SMOKE], { env, timeout: 15_000 });
      // It says that it is connected; if it ends instead, it ends in an error.
      await Promise.race([smoke.child.stdout && once(smoke.child.stdout, 'data'), smoke]);
      await playground.publish(numbered(1, 10));
      proxy.cutAll();
      await playground.publish(numbered(11, 20));
      const { stdout } = await smoke;
      const lines = stdout.trim().split('\n');
      expect(lines[0]).toBe(`connected on v${major}`);
      expect(lines.slice(1)).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 1)));

      expect(await service.stop()).toEqual({ code: 0, signal: null });
      // Neither the service nor its libraries use what this Node warns about.
      expect(service.stderr.items.filter((line) => /warning/i.test(line))).toEqual([]);
    }, 30_000);
  });
}
