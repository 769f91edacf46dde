import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { Application, ReflectionKind } from 'typedoc';

const ROOT = join(import.meta.dirname, '../..');

/** What others may import, in the order in which a name that several of them export is told once and then linked to. */
const ENTRIES = ['sdk/index.ts', 'sdk/react/index.ts', 'sdk/token/index.ts', 'protocol/index.ts'];

const NOTICE =
  '<!-- Made by `npm run docs` from the comments in the sources. Change those. -->\n\n';

/** What must have a comment: whatever can be imported. */
const EXPORTS =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Function |
  ReflectionKind.Variable;

/**
 * The pages of docs/api by their file names: every export of the packages, and the file that it comes from.
 * @type {() => Promise<Map<string, string>>}
 * @throws Error that names the exports without a comment.
 */
export async function apiPages() {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: ENTRIES.map((path) => join(ROOT, path)),
    tsconfig: join(ROOT, 'tsconfig.json'),
    basePath: ROOT,
    name: 'API',
    readme: 'none',
    // `npm run types` checks them, with the compiler that the project is built by.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    validation: { notExported: false, invalidLink: true },
    disableGit: true,
    sourceLinkTemplate: '{path}',
    logLevel: 'Warn',
    ...LAYOUT,
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('the sources could not be read');
  app.validate(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) {
    throw new Error('the comments have the faults that are named above');
  }
  const bare = project.getReflectionsByKind(EXPORTS).filter((export_) => !isDocumented(export_));
  if (bare.length > 0) {
    throw new Error(`these exports have no comment: ${bare.map(({ name }) => name).join(', ')}`);
  }
  return render(app, project);
}

const LAYOUT = {
  outputFileStrategy: 'modules',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandParameters: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  propertyMembersFormat: 'table',
};

/** @type {(reflection: import('typedoc').DeclarationReflection) => boolean} */
function isDocumented(reflection) {
  const { signatures = [] } = reflection;
  return reflection.hasComment() || signatures.some((signature) => signature.hasComment());
}

/** @type {(app: Application, project: import('typedoc').ProjectReflection) => Promise<Map<string, string>>} */
async function render(app, project) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-api-'));
  try {
    await app.outputs.writeOutput({ name: 'markdown', path: folder }, project);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
    return new Map(
      await Promise.all(
        paths
          .sort()
          .map(async (path) => [path, edit(path, await readFile(join(folder, path), 'utf8'))]),
      ),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Names the packages as they are imported, and each source without its line, which any other change may move.
 * @type {(path: string, page: string) => string}
 */
function edit(path, page) {
  const toRoot = '../'.repeat(path.split('/').length + 1);
  const edited = page
    .replaceAll(/\[([\w./-]+\.tsx?):\d+\]\(\1\)/g, `[$1](${toRoot}$1)`)
    .replace(/^# (?=sdk|protocol)/, '# @sluice/')
    .replaceAll(/^- \[(?=sdk|protocol)/gm, '- [@sluice/')
    .replaceAll('__namedParameters', 'options');
  return `${NOTICE}${edited.trimEnd()}\n`;
}
