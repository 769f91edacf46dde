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
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SWITCHES } from './switches.js';

/** @typedef {import('./switches.d.ts').Switch} Switch */

const ROOT = join(import.meta.dirname, '../..');
const RUN_DEADLINE_MS = 120_000;
const JEST = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'];

const wanted = process.argv.slice(2);
const switches = SWITCHES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const copy = mkdtempSync(join(tmpdir(), 'sluice-mutants-'));
try {
  copySources();
  process.exitCode = (await runAll()) ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

async function runAll() {
  /** @type {string[]} */
  const survivors = [];
  for (const [index, mutant] of switches.entries()) {
    const fault = await faultOf(mutant);
    if (fault !== null) survivors.push(mutant.name);
    const outcome = fault === null ? 'noticed' : `NOT NOTICED: ${fault}`;
    process.stdout.write(`${index + 1}/${switches.length} ${mutant.name}: ${outcome}\n`);
  }
  process.stdout.write(`${switches.length - survivors.length} of ${switches.length} noticed\n`);
  return switches.length > 0 && survivors.length === 0;
}

/** Why the loss of this check would pass unnoticed; `null` if it would not. */
async function faultOf(/** @type {Switch} */ { file, code, off, test, title }) {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(code).length !== 2) return `the code does not stand once in ${file}`;
  const intact = await runTest(test, title);
  if (intact.passed === 0 || intact.failed > 0) return 'the test does not pass with the check on';
  writeFileSync(
    path,
    source.replace(code, () => off),
  );
  try {
    const broken = await runTest(test, title);
    return broken.failed > 0 ? null : 'the test passes without the check';
  } finally {
    writeFileSync(path, source);
  }
}

/**
 * @param {string} test path of the test file
 * @param {string} title of the tests to run, or a part of it
 * @returns {Promise<{ passed: number, failed: number }>}
 */
function runTest(test, title) {
  if (test.startsWith('test/e2e/')) buildService();
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const args = ['node_modules/jest/bin/jest.js', test, '-t', pattern, '--json', '--silent'];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...JEST, ...args],
      { cwd: copy, timeout: RUN_DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        try {
          const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(stdout);
          // A file that cannot be loaded has noticed nothing.
          if (numRuntimeErrorTestSuites > 0) throw new Error(`${test} cannot be run`);
          resolve({ passed: numPassedTests, failed: numFailedTests });
        } catch (fault) {
          reject(error ?? fault);
        }
      },
    );
  });
}

/** The tests of the whole service run what was built. Types need not fit for that. */
function buildService() {
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'server'], {
      cwd: copy,
      stdio: 'ignore',
    });
  } catch {
    // It has written its files all the same.
  }
}

function copySources() {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const files = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  for (const file of files) {
    const source = join(ROOT, file);
    if (file !== '' && existsSync(source)) cpSync(source, join(copy, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
}
