import { describe, expect, it } from '@jest/globals';
import { VERSION } from '../cli/version.js';
import { answerTo } from './command-line.js';

describe('the command line of the service', () => {
  it('is to be empty', () => {
    expect(answerTo([])).toBeNull();
  });

  it.each([['--help'], ['-h'], ['start', '--help']])('asks for help by %j', (...args) => {
    expect(answerTo(args)).toEqual({
      stdout: expect.stringContaining('Usage: node server/dist/main.js\n'),
      stderr: '',
      exitCode: 0,
    });
  });

  it('asks for the version', () => {
    expect(answerTo(['--version'])).toEqual({ stdout: `${VERSION}\n`, stderr: '', exitCode: 0 });
  });

  it.each([['start'], [''], ['--port=s3cr3t'], ['--version', 's3cr3t']])(
    'is refused with anything else, and not repeated: %j',
    (...args) => {
      expect(answerTo(args)).toEqual({
        stdout: '',
        stderr: 'sluice: the service takes no arguments; see --help\n',
        exitCode: 2,
      });
    },
  );
});
