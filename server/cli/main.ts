import { run } from './run.js';

const stop = new AbortController();
let isOutputLost = false;

// Once only: a second Ctrl-C ends a command that does not stop.
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has what it wanted (| head). Else what was written is not there: the disk is full, say.
  if (error.code !== 'EPIPE') {
    isOutputLost = true;
    process.stderr.write(`sluice: cannot write to stdout: ${error.message}\n`);
  }
  stop.abort();
});

// Not process.exit(): what was written to a pipe may still be on its way.
const code = await run(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
});
process.exitCode = isOutputLost ? 2 : code;
