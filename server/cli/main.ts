import { run } from './run.js';

const stop = new AbortController();

// Once only: a second Ctrl-C ends a command that does not stop.
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has what it wanted (| head).
  if (error.code !== 'EPIPE') throw error;
  stop.abort();
});

// Not process.exit(): what was written to a pipe may still be on its way.
process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
});
