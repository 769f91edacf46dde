/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: [
    '<rootDir>/protocol',
    '<rootDir>/server',
    '<rootDir>/sdk',
    '<rootDir>/bench',
    '<rootDir>/test',
  ],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: {
    '\\.tsx?$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', tsx: true },
          transform: { react: { runtime: 'automatic' } },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  // Sources import each other as the built files do: by `.js` names, and by package across the workspaces.
  moduleNameMapper: {
    '^jose$': '<rootDir>/test/support/jose.cjs',
    '^@sluice/(protocol|server|sdk)$': '<rootDir>/$1/index.ts',
    '^#event-source$': '<rootDir>/sdk/transport/event-source/package.ts',
    '^@sluice/sdk/(react|token)$': '<rootDir>/sdk/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  testTimeout: 20_000,
  // Much of the time is waiting for processes. (What drives a browser runs by itself, after the rest: `npm run tests`.) A worker that has grown is replaced: tests that watch what the garbage
  // collector takes would otherwise wait for it to go through what all the files before them have left.
  maxWorkers: 3,
  workerIdleMemoryLimit: '512MB',
};

export default config;
