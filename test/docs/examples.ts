import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CodeBlock, codeBlocks, documentPaths, ROOT, readDocument } from './markdown.js';

const run = promisify(execFile);

const EXTENSIONS: Readonly<Record<string, string>> = {
  ts: 'ts',
  typescript: 'ts',
  tsx: 'tsx',
  js: 'js',
  javascript: 'js',
};

/** A block of TypeScript or JavaScript in one of the documents. */
export interface Example extends CodeBlock {
  readonly document: string;
  readonly extension: string;
}

/** All examples, and those that are marked as fragments: pieces that cannot stand alone. */
export function findExamples(): {
  readonly whole: readonly Example[];
  readonly fragments: readonly Example[];
} {
  const examples = documentPaths().flatMap((document) =>
    codeBlocks(readDocument(document)).flatMap((block): Example[] => {
      const extension = EXTENSIONS[block.language];
      return extension === undefined ? [] : [{ ...block, document, extension }];
    }),
  );
  const isFragment = ({ marks }: Example): boolean => marks.includes('fragment');
  return {
    whole: examples.filter((example) => !isFragment(example)),
    fragments: examples.filter(isFragment),
  };
}

/** What the compiler has to say of the examples, each line with the place in its document. */
export async function checkTypes(examples: readonly Example[]): Promise<readonly string[]> {
  await mkdir(join(ROOT, '.cache'), { recursive: true });
  // Within the repository, so that packages are found as they are by the sources.
  const folder = await mkdtemp(join(ROOT, '.cache/examples-'));
  try {
    const files = examples.map(({ document, line, extension }) => ({
      name: `${document.replaceAll(/\W/g, '-')}-${line}.${extension}`,
      document,
    }));
    for (const [index, { code, line }] of examples.entries()) {
      // Empty lines before it, so that the compiler tells the line of the document.
      const text = `${'\n'.repeat(line)}${code}export {};\n`;
      await writeFile(join(folder, files[index]?.name ?? ''), text);
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settingsFor(files)));
    const output = await compile(folder);
    return files.flatMap(({ name, document }) =>
      [...output.matchAll(/^(?:.*\/)?([^/\n]+)\((\d+),\d+\): (error .*)$/gm)].flatMap(
        ([, file, line, fault]) => (file === name ? [`${document}:${line}: ${fault}`] : []),
      ),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function settingsFor(files: readonly { readonly name: string }[]): object {
  return {
    extends: '../../tsconfig.json',
    compilerOptions: {
      allowJs: true,
      checkJs: true,
      // An example shows what there is, and need not use it.
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    files: files.map(({ name }) => name),
    include: [],
  };
}

/** The compiler's output. Faults of the sources themselves are among it; they are for `npm run types` to tell. */
async function compile(folder: string): Promise<string> {
  const compiler = join(ROOT, 'node_modules/.bin/tsc');
  try {
    return (await run(compiler, ['-p', folder, '--pretty', 'false'])).stdout;
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    if (/\(\d+,\d+\): error /.test(stdout)) return stdout;
    throw new Error(`the compiler failed: ${stdout}`, { cause: error });
  }
}
