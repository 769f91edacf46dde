import { describe, it } from '@jest/globals';
import { TOOLS_VARIABLE, type Tool, type ToolName } from './global-setup.js';

export type { Tool, ToolName };

/** What the global set-up found out about a program. */
export function findTool(name: ToolName): Tool {
  const found = JSON.parse(process.env[TOOLS_VARIABLE] ?? '{}') as Partial<Record<ToolName, Tool>>;
  return found[name] ?? { missing: 'the global set-up has not run' };
}

/**
 * A `describe` whose tests need a program. Where the program cannot be had, one test says so in its title: it is
 * skipped on a developer's machine and fails under `CI=true`, so that nothing goes untested unnoticed.
 */
export function describeWith(name: ToolName, title: string, define: (path: string) => void): void {
  const tool = findTool(name);
  describe(title, () => {
    if ('path' in tool) {
      define(tool.path);
      return;
    }
    const reason = `COULD NOT RUN: ${name} is missing: ${tool.missing}`;
    if (process.env['CI'] !== 'true') {
      it.skip(reason, () => {});
      return;
    }
    it(reason, () => {
      throw new Error(reason);
    });
  });
}
