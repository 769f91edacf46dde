// Starts the soak (`npm run soak`), which is written in TypeScript as all tests are, against the built service and SDK.
import { execFileSync } from 'node:child_process';
import { register } from 'node:module';

register('./typescript-hooks.js', import.meta.url);

/** @param {string} name */
function findProgram(name) {
  try {
    return { path: execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim() };
  } catch {
    return { missing: 'it is not installed' };
  }
}

// As the set-up of the tests says it (test/support/global-setup.ts).
process.env['TEST_TOOLS'] = JSON.stringify({
  'redis-server': findProgram('redis-server'),
  'redis-sentinel': findProgram('redis-sentinel'),
});

const { main } = await import('./soak.js');
// After an interruption something may still wait for what will not come.
process.exit(await main(process.argv.slice(2), process.env));
