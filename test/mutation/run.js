// Switches off each check of the gate, one at a time, in a copy of the sources, and runs the test that is said to hold it.
// A test that still passes is the fault: then nothing would notice if that check were lost. `npm run mutants [name…]`
import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SWITCHES } from './switches.js';

/** @typedef {import('./switches.d.ts').Switch} Switch */
/** @typedef {{ passed: string[], failed: string[] }} Outcome The full titles of the tests that ran. */

const ROOT = join(import.meta.dirname, '../..');
const RUN_DEADLINE_MS = 180_000;
const MAX_WORKERS = 4;
const JEST = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'];

const wanted = process.argv.slice(2);
const switches = SWITCHES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const copies = Array.from({ length: Math.min(MAX_WORKERS, availableParallelism()) }, copySources);
try {
  const intact = await inTurn([...new Set(switches.map(({ test }) => test))], runIntact);
  const faults = await inTurn(switches, (mutant, copy) => tryOne(mutant, copy, new Map(intact)));
  const survivors = faults.filter((fault) => fault !== null);
  process.stdout.write(`${switches.length - survivors.length} of ${switches.length} noticed\n`);
  for (const survivor of survivors) process.stdout.write(`NOT NOTICED ${survivor}\n`);
  process.exitCode = switches.length > 0 && survivors.length === 0 ? 0 : 1;
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}

/**
 * Works through the items, as many at once as there are copies.
 * @template Item, Result
 * @param {readonly Item[]} items
 * @param {(item: Item, copy: string) => Promise<Result>} work
 * @returns {Promise<Result[]>} in the order of the items
 */
async function inTurn(items, work) {
  /** @type {Result[]} */
  const results = [];
  const queue = items.entries();
  await Promise.all(
    copies.map(async (copy) => {
      for (const [index, item] of queue) results[index] = await work(item, copy);
    }),
  );
  return results;
}

/**
 * @param {string} test
 * @param {string} copy
 * @returns {Promise<[string, Outcome]>}
 */
async function runIntact(test, copy) {
  return [test, await runTest(test, '', copy)];
}

/**
 * @param {Switch} mutant
 * @param {string} copy
 * @param {Map<string, Outcome>} intact
 * @returns {Promise<string | null>} why the loss of this check would pass unnoticed; `null` if it would not
 */
async function tryOne(mutant, copy, intact) {
  const fault = await faultOf(mutant, copy, intact.get(mutant.test)).catch(String);
  process.stdout.write(`${fault === null ? 'noticed' : 'NOT NOTICED'}: ${mutant.name}\n`);
  return fault === null ? null : `${mutant.name}: ${fault}`;
}

/**
 * @param {Switch} mutant
 * @param {string} copy
 * @param {Outcome | undefined} intact
 * @returns {Promise<string | null>}
 */
async function faultOf({ file, code, off, test, title }, copy, intact) {
  const holds = (/** @type {string} */ full) => full.includes(title);
  if (!intact?.passed.some(holds) || intact.failed.some(holds)) {
    return 'the test does not pass with the check on';
  }
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(code).length !== 2) return `the code does not stand once in ${file}`;
  writeFileSync(
    path,
    source.replace(code, () => off),
  );
  try {
    const broken = await runTest(test, title, copy);
    return broken.failed.some(holds) ? null : 'the test passes without the check';
  } finally {
    writeFileSync(path, source);
  }
}

/**
 * @param {string} test path of the test file
 * @param {string} title of the tests to run, or a part of it; empty for all
 * @param {string} copy
 * @returns {Promise<Outcome>}
 */
function runTest(test, title, copy) {
  // The tests of the whole service run what was built.
  if (test.startsWith('test/e2e/')) build(copy);
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const chosen = title === '' ? [] : ['-t', pattern];
  const args = ['node_modules/jest/bin/jest.js', test, ...chosen, '--json', '--silent', '-w', '1'];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...JEST, ...args],
      // Asked to end, Jest lets its tests put away what they started.
      { cwd: copy, timeout: RUN_DEADLINE_MS, killSignal: 'SIGINT', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        try {
          resolve(outcomeOf(JSON.parse(stdout)));
        } catch {
          reject(error ?? new Error(`${test} cannot be run`));
        }
      },
    );
  });
}

/**
 * @param {{ numRuntimeErrorTestSuites: number, testResults: { assertionResults: { status: string, fullName: string }[] }[] }} report
 * @returns {Outcome}
 */
function outcomeOf({ numRuntimeErrorTestSuites, testResults }) {
  // A file that cannot be loaded has noticed nothing.
  if (numRuntimeErrorTestSuites > 0) throw new Error('a file of tests cannot be loaded');
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const titles = (/** @type {string} */ status) =>
    tests.filter((test) => test.status === status).map(({ fullName }) => fullName);
  return { passed: titles('passed'), failed: titles('failed') };
}

function build(/** @type {string} */ copy) {
  try {
    const args = ['node_modules/typescript/bin/tsc', '-b', 'protocol', 'server', 'sdk'];
    execFileSync(process.execPath, args, { cwd: copy, stdio: 'ignore' });
  } catch {
    // Types that do not fit any more are no matter here: the files are written all the same.
  }
}

function copySources() {
  const copy = mkdtempSync(join(tmpdir(), 'sluice-mutants-'));
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const files = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  for (const file of files) {
    const source = join(ROOT, file);
    if (file !== '' && existsSync(source)) cpSync(source, join(copy, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}
