import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { type DeclaredPackages, faultsOf, type Sources } from './import-rule.js';
import { readSource } from './source-imports.js';

const ROOT = join(import.meta.dirname, '../..');
const WORKSPACES = ['protocol', 'server', 'sdk', 'bench'];

async function readSources(): Promise<Sources> {
  const sources = new Map<string, string>();
  for (const workspace of WORKSPACES) {
    const entries = await readdir(join(ROOT, workspace), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const file = join(entry.parentPath, entry.name);
      const path = relative(ROOT, file).replaceAll(sep, '/');
      if (!entry.isFile() || /\/(dist|node_modules)\//.test(path)) continue;
      if (!/\.tsx?$/.test(path) || /\.(test\.tsx?|d\.ts)$/.test(path)) continue;
      sources.set(path, await readFile(file, 'utf8'));
    }
  }
  return sources;
}

async function readDeclaredPackages(): Promise<DeclaredPackages> {
  const declared = new Map<string, ReadonlySet<string>>();
  for (const workspace of WORKSPACES) {
    const manifest = JSON.parse(await readFile(join(ROOT, workspace, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
      peerDependencies?: Record<string, string>;
    };
    declared.set(
      workspace,
      new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })),
    );
  }
  return declared;
}

describe('the sources', () => {
  it('import each other one way only', async () => {
    const sources = await readSources();
    expect(sources.size).toBeGreaterThan(10);
    expect(faultsOf(sources, await readDeclaredPackages())).toEqual([]);
  });
});

describe('the import rule', () => {
  const declared = new Map([
    ['server', new Set(['express', '@scope/kept'])],
    ['sdk', new Set(['eventsource-parser'])],
  ]);
  const faults = (file: string, text: string) => faultsOf(new Map([[file, text]]), declared);

  it.each([
    ['protocol/event.ts', `import { isName } from './topic.js';`],
    ['sdk/react/hooks.tsx', `import type { ErrorCode } from '@sluice/protocol'; const a = <b />;`],
    ['sdk/react/provider.tsx', `import { useState } from 'react'; import '../client.js';`],
    ['server/gate/gate.ts', `import type { TokenRules } from '../config.js';`],
    ['server/gate/gate.ts', `import { type TokenRules } from '../config.js';`],
    ['server/gate/gate.ts', `import { SluiceError } from '../errors.js';`],
    ['server/hub/hub.ts', `import type { EventLog } from '../log/event-log.js';`],
    ['server/http/subscribe.ts', `import { Router } from 'express'; import '../stream/stream.js';`],
    ['server/log/lmdb-event-log.ts', `import { x } from '@scope/kept/sub'; import 'node:fs';`],
    ['server/adapters.ts', `import { LmdbEventLog } from './log/lmdb-event-log.js';`],
    ['server/index.ts', `export { LmdbEventLog } from './log/lmdb-event-log.js';`],
    ['server/main.ts', `start(process.env);`],
    ['server/http/subscribe.ts', `const { pid } = process; const load = process.memoryUsage();`],
  ])('lets %s say %s', (file, text) => {
    expect(faults(file, text)).toEqual([]);
  });

  it.each([
    ['protocol/event.ts', `import { createHash } from 'node:crypto';`],
    ['protocol/event.ts', `import { SluiceError } from '../server/errors.js';`],
    ['protocol/event.ts', `import express from 'express';`],
    ['sdk/client.ts', `import { createApp } from '@sluice/server';`],
    ['sdk/client.ts', `import { useState } from 'react';`],
    ['sdk/client.ts', `type App = import('../server/app.js').App;`],
    ['sdk/client.ts', `import { request } from 'node:http';`],
    ['sdk/client.ts', `import { createParser } from 'eventsource-parser';`],
    ['server/gate/gate.ts', `import { RealtimeClient } from '@sluice/sdk';`],
    ['server/gate/gate.ts', `import { encodeFrame } from '../../protocol/frame.js';`],
    ['server/gate/gate.ts', `import { encodeFrame } from '@sluice/protocol/frame.js';`],
    ['server/gate/gate.ts', `import { ALGORITHMS } from '../config.js';`],
    ['server/gate/gate.ts', `import { ALGORITHMS, type TokenRules } from '../config.js';`],
    ['server/gate/gate.ts', `export { hub } from '../hub/hub.js';`],
    ['server/gate/gate.ts', `export * from '../stream/stream.js';`],
    ['server/gate/gate.ts', `const log = await import('../log/event-log.js');`],
    ['server/gate/gate.ts', `const log = await import(place);`],
    ['server/gate/gate.ts', `import unknown from 'undeclared';`],
    ['server/gate/gate.ts', `const { env } = process;`],
    ['server/gate/gate.ts', `import { env } from 'node:process';`],
    ['server/gate/gate.ts', `const port = globalThis.process['env'].PORT;`],
    ['server/log/event-log.ts', `import type { Hub } from '../hub/hub.js';`],
    ['server/hub/hub.ts', `import { Stream } from '../stream/stream.js';`],
    ['server/hub/hub.ts', `import { LmdbEventLog } from '../log/lmdb-event-log.js';`],
    ['server/stream/stream.ts', `import { Gate } from '../gate/gate.js';`],
    ['server/issuer/issuer.ts', `import { Gate } from '../gate/gate.js';`],
    ['server/cli/main.ts', `import { createApp } from '../app.js';`],
    ['server/main.ts', `import { subscribe } from './http/subscribe.js';`],
    ['server/http/publish.ts', `import { app } from '../app.js';`],
    ['server/http/publish.ts', `import parent = require('../compose.js');`],
    ['server/utils/misc.ts', ``],
  ])('forbids %s to say %s', (file, text) => {
    expect(faults(file, text)).toHaveLength(1);
  });

  it('names the file, the import and the reason', () => {
    expect(faults('server/hub/hub.ts', `import { a } from '../http/a.js';`)).toEqual([
      'server/hub/hub.ts -> ../http/a.js: is not among what server/hub/ may import',
    ]);
  });

  it('is not misled by text that looks like an import', () => {
    const text = `// import '../hub/hub.js'\nconst a = "import('../hub/hub.js') process.env";`;
    expect(readSource('a.ts', text)).toEqual({ imports: [], readsEnvironment: false });
  });
});
