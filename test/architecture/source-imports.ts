import { parseSync } from '@swc/core';

/** One arrow that leaves a source file. */
export interface SourceImport {
  /** As written; `null` where it is computed and cannot be judged. */
  readonly specifier: string | null;
  /** Whether nothing of it is left at run time. */
  readonly isTypeOnly: boolean;
}

export interface SourceFacts {
  readonly imports: readonly SourceImport[];
  readonly readsEnvironment: boolean;
}

type Node = Readonly<Record<string, unknown>> & { readonly type: string };

/** What a TypeScript source imports (statements, re-exports, `import()`, `require()`) and whether it reads the environment. */
export function readSource(path: string, text: string): SourceFacts {
  const imports: SourceImport[] = [];
  let readsEnvironment = false;
  const found = (specifier: unknown, isTypeOnly: boolean) => {
    imports.push({ specifier: textOf(specifier), isTypeOnly });
    if (/^(node:)?process$/.test(textOf(specifier) ?? '')) readsEnvironment = true;
  };

  const module = parseSync(text, {
    syntax: 'typescript',
    tsx: path.endsWith('.tsx'),
    target: 'es2022',
  });
  walk(module, (node) => {
    switch (node.type) {
      case 'ImportDeclaration':
        found(node['source'], node['typeOnly'] === true || areTypesOnly(node['specifiers']));
        break;
      case 'ExportNamedDeclaration':
        if (!isNode(node['source'])) break;
        found(node['source'], node['typeOnly'] === true || areTypesOnly(node['specifiers']));
        break;
      case 'ExportAllDeclaration':
        found(node['source'], node['typeOnly'] === true);
        break;
      case 'TsImportType':
        found(node['argument'], true);
        break;
      case 'TsExternalModuleReference':
        found(node['expression'], false);
        break;
      case 'CallExpression':
        if (isNode(node['callee']) && isImporter(node['callee'])) {
          found(firstArgument(node['arguments']), false);
        }
        break;
      case 'MemberExpression':
        if (nameOf(node['object']) === 'process' && nameOf(node['property']) === 'env') {
          readsEnvironment = true;
        }
        break;
      case 'VariableDeclarator':
        // const { env } = process
        if (nameOf(node['init']) === 'process' && mentions(node['id'], 'env')) {
          readsEnvironment = true;
        }
        break;
    }
  });
  return { imports, readsEnvironment };
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
  } else if (typeof value === 'object' && value !== null) {
    if (isNode(value)) visit(value);
    for (const member of Object.values(value)) walk(member, visit);
  }
}

function mentions(value: unknown, name: string): boolean {
  let isThere = false;
  walk(value, (node) => {
    if (node.type === 'Identifier' && node['value'] === name) isThere = true;
  });
  return isThere;
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
  );
}

function isImporter(callee: Node): boolean {
  return callee.type === 'Import' || nameOf(callee) === 'require';
}

function firstArgument(list: unknown): unknown {
  const first: unknown = Array.isArray(list) ? list[0] : null;
  return typeof first === 'object' && first !== null && 'expression' in first
    ? first.expression
    : null;
}

/** Whether `{ type A, type B }` names types alone. `{}` and side-effect imports run the module. */
function areTypesOnly(specifiers: unknown): boolean {
  return (
    Array.isArray(specifiers) &&
    specifiers.length > 0 &&
    specifiers.every((item: unknown) => isNode(item) && item['isTypeOnly'] === true)
  );
}

function textOf(node: unknown): string | null {
  return isNode(node) && node.type === 'StringLiteral' ? String(node['value']) : null;
}

/** The name of `process`, `x.process`, `.env` or `['env']`. */
function nameOf(node: unknown): string | null {
  if (!isNode(node)) return null;
  if (node.type === 'Identifier' || node.type === 'StringLiteral') return String(node['value']);
  if (node.type === 'Computed') return nameOf(node['expression']);
  if (node.type === 'MemberExpression') return nameOf(node['property']);
  return null;
}
