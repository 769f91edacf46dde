import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.js';

const run = promisify(execFile);
const SOURCES = join(ROOT, 'bench/native');

/** The programs of the benchmark that are written in C. */
export interface NativePrograms {
  readonly load: string;
  readonly ceiling: string;
}

/** Compiles them into `folder`. @throws Error with the compiler's words */
export async function compileNativePrograms(folder: string): Promise<NativePrograms> {
  const compile = async (name: string): Promise<string> => {
    const program = join(folder, name);
    await run('cc', ['-O2', '-Wall', '-Wextra', '-o', program, join(SOURCES, `${name}.c`)]);
    return program;
  };
  const [load, ceiling] = await Promise.all([compile('load'), compile('ceiling')]);
  return { load, ceiling };
}
