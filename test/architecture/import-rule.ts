import { dirname, join } from 'node:path/posix';
import { readSource } from './source-imports.js';

/** Sources by their path from the root of the repository. */
export type Sources = ReadonlyMap<string, string>;

/** Packages that a workspace declares, by the workspace's folder. */
export type DeclaredPackages = ReadonlyMap<string, ReadonlySet<string>>;

interface Rule {
  /** The files it is about: a folder (ending in `/`) or one file. */
  readonly of: string;
  /** What they may import of ours: folders, files, packages; `type …` for what may be imported as a type only. */
  readonly may: readonly string[];
  /** Packages from outside: those that the workspace declares and the modules of Node, a list, or none. */
  readonly packages: 'declared' | readonly string[];
}

const BASE = ['server/errors.ts', 'server/config.ts', '@sluice/protocol'];
const PARTS = ['gate', 'hub', 'stream', 'log', 'issuer', 'ops', 'redis'].map(
  (part) => `server/${part}/`,
);
/** Where the parts are put together; they alone know the routes. */
const ROOTS = [
  'server/app.ts',
  'server/realtime-router.ts',
  'server/compose.ts',
  'server/adapters.ts',
];

/** Which way the arrows run. The first rule that a file falls under is its rule; a file under none is a fault. */
export const IMPORT_RULES: readonly Rule[] = [
  { of: 'protocol/', may: ['protocol/'], packages: [] },
  { of: 'sdk/react/', may: ['sdk/', '@sluice/protocol'], packages: ['react'] },
  { of: 'sdk/transport/event-source/package.ts', may: ['sdk/'], packages: ['eventsource'] },
  {
    of: 'sdk/transport/event-source-transport.ts',
    may: ['sdk/', '@sluice/protocol'],
    packages: ['#event-source'],
  },
  { of: 'sdk/', may: ['sdk/', '@sluice/protocol'], packages: [] },

  // It speaks to the service over the wire.
  { of: 'bench/', may: ['bench/', '@sluice/protocol'], packages: 'declared' },

  { of: 'server/errors.ts', may: ['@sluice/protocol'], packages: [] },
  { of: 'server/json.ts', may: [], packages: [] },
  { of: 'server/deep-freeze.ts', may: [], packages: [] },
  { of: 'server/deadlines.ts', may: [], packages: [] },
  { of: 'server/histogram.ts', may: [], packages: [] },
  {
    of: 'server/config.ts',
    may: ['server/config/', 'server/deep-freeze.ts', 'server/json.ts', '@sluice/protocol'],
    packages: 'declared',
  },
  {
    of: 'server/config/',
    may: ['server/config/', 'server/json.ts', '@sluice/protocol'],
    packages: 'declared',
  },
  {
    // It is kept as the log is.
    of: 'server/gate/revocation/lmdb-revocation-store.ts',
    may: [
      'server/gate/revocation/',
      'server/log/store-check.ts',
      'server/log/transact.ts',
      'server/errors.ts',
    ],
    packages: 'declared',
  },
  {
    of: 'server/gate/',
    may: [
      'server/gate/',
      'server/redis/',
      'server/errors.ts',
      'server/deep-freeze.ts',
      'server/json.ts',
      'server/deadlines.ts',
      'type server/config.ts',
      '@sluice/protocol',
    ],
    packages: 'declared',
  },
  {
    of: 'server/redis/',
    may: ['server/redis/', 'server/histogram.ts', 'server/errors.ts', 'server/config.ts'],
    packages: 'declared',
  },
  {
    of: 'server/log/',
    may: [
      'server/log/',
      'server/redis/',
      'server/histogram.ts',
      'server/errors.ts',
      'type server/config.ts',
      '@sluice/protocol',
    ],
    packages: 'declared',
  },
  {
    of: 'server/hub/',
    may: ['server/hub/', 'server/log/', 'server/deadlines.ts', 'server/histogram.ts', ...BASE],
    packages: 'declared',
  },
  {
    of: 'server/stream/',
    may: ['server/stream/', 'server/hub/', 'server/log/', ...BASE],
    packages: 'declared',
  },
  {
    of: 'server/issuer/',
    may: ['server/issuer/', 'server/redis/', ...BASE],
    packages: 'declared',
  },
  {
    of: 'server/issuer-documents.ts',
    may: ['server/issuer/', 'server/redis/', ...BASE],
    packages: 'declared',
  },
  {
    of: 'server/ops/',
    may: [
      'server/ops/',
      'server/hub/',
      'server/gate/audit.ts',
      'server/gate/step-watch.ts',
      'server/cli/version.ts',
      'server/histogram.ts',
      'type server/gate/',
      'type server/log/',
      'type server/redis/redis.ts',
      ...BASE,
    ],
    packages: 'declared',
  },
  {
    of: 'server/http/',
    may: ['server/http/', 'server/json.ts', ...PARTS, ...BASE],
    packages: 'declared',
  },
  { of: 'server/scrub/', may: ['server/scrub/'], packages: 'declared' },
  {
    of: 'server/cli/',
    // The doctor reads tokens and keys by the gate's own pieces, so that the two cannot differ.
    may: [
      'server/scrub/',
      'server/cli/',
      'server/issuer/',
      'server/issuer-documents.ts',
      'server/gate/token/',
      'server/gate/permission/topic-claims.ts',
      // So does the check of the settings read a policy.
      'server/gate/permission/policy-file.ts',
      'server/gate/permission/policy-rules.ts',
      ...BASE,
    ],
    packages: 'declared',
  },

  ...ROOTS.map((root) => ({
    of: root,
    may: ['server/http/', 'server/issuer-documents.ts', ...ROOTS, ...PARTS, ...BASE],
    packages: 'declared' as const,
  })),
  {
    of: 'server/token-issuer.ts',
    may: [
      'server/issuer/',
      'server/issuer-documents.ts',
      'server/gate/permission/permission-name.ts',
      ...BASE,
    ],
    packages: 'declared',
  },
  ...['main', 'index'].map((name) => ({
    of: `server/${name}.ts`,
    may: [...ROOTS, 'server/token-issuer.ts', ...PARTS, ...BASE],
    packages: 'declared' as const,
  })),
];

/** Where the environment may be read: in the configuration, and where a process starts and hands it over. */
export const ENVIRONMENT_READERS = [
  // They hand it on to the programs that they start.
  'bench/needs.ts',
  'bench/pinned-process.ts',
  'server/config.ts',
  'server/main.ts',
  'server/cli/main.ts',
  // Takes out what would make libraries talk.
  'server/ops/quiet-libraries.ts',
];

/** An adapter of a port is named `<technology>-<port>.ts`. */
export const ADAPTER =
  /^server\/.*\/[a-z0-9]+-(event-log|token-verifier|permission-checker|revocation-store|stream-token-store|shared-places)\.ts$/;
/** Where adapters are chosen, and where they are offered to whoever composes a service of their own. */
export const ADAPTER_USERS = ['server/adapters.ts', 'server/index.ts'];

/** Every breach of the rule, as `file -> import: why`. */
export function faultsOf(sources: Sources, declared: DeclaredPackages): string[] {
  return [...sources].flatMap(([file, text]) => {
    const rule = IMPORT_RULES.find(({ of }) => isWithin(file, of));
    if (rule === undefined) return [`${file}: no rule says what it may import`];
    const { imports, readsEnvironment } = readSource(file, text);
    const faults = imports.flatMap(({ specifier, isTypeOnly }) => {
      const why =
        specifier === null
          ? 'a computed import cannot be judged'
          : faultOf(file, rule, specifier, isTypeOnly, declared);
      return why === null ? [] : [`${file} -> ${specifier ?? '?'}: ${why}`];
    });
    if (readsEnvironment && !ENVIRONMENT_READERS.includes(file)) {
      faults.push(`${file}: reads the environment`);
    }
    return faults;
  });
}

function faultOf(
  file: string,
  rule: Rule,
  specifier: string,
  isTypeOnly: boolean,
  declared: DeclaredPackages,
): string | null {
  if (specifier.startsWith('.')) {
    const target = join(dirname(file), specifier).replace(/\.js$/, '.ts');
    if (!isAllowed(rule.may, target, isTypeOnly)) {
      return isAllowed(rule.may, target, true)
        ? 'may be imported as a type only'
        : `is not among what ${rule.of} may import`;
    }
    if (ADAPTER.test(target) && !isTypeOnly && !ADAPTER_USERS.includes(file)) {
      return `adapters are chosen in ${ADAPTER_USERS[0]}`;
    }
    return null;
  }
  if (specifier.startsWith('@sluice/')) {
    return rule.may.includes(specifier) ? null : `is not among what ${rule.of} may import`;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (rule.packages !== 'declared') {
    return rule.packages.includes(name) ? null : `is not among what ${rule.of} may import`;
  }
  const workspace = file.slice(0, file.indexOf('/'));
  const isKnown = specifier.startsWith('node:') || declared.get(workspace)?.has(name) === true;
  return isKnown ? null : `is not declared by ${workspace}/package.json`;
}

function isAllowed(may: readonly string[], target: string, isTypeOnly: boolean): boolean {
  return may.some((entry) =>
    entry.startsWith('type ')
      ? isTypeOnly && isWithin(target, entry.slice('type '.length))
      : isWithin(target, entry),
  );
}

function isWithin(file: string, place: string): boolean {
  return place.endsWith('/') ? file.startsWith(place) : file === place;
}
