import { matchesPattern } from '@sluice/protocol';
import { LRUCache } from 'lru-cache';
import type { Retention, RetentionRules } from '../config.js';

/** How long the history of each workspace is kept. */
export class Retentions {
  private readonly known = new LRUCache<string, Retention>({ max: 10_000 });

  constructor(private readonly rules: RetentionRules) {}

  of(workspace: string): Retention {
    let retention = this.known.get(workspace);
    if (retention === undefined) {
      const own = this.rules.workspaces.find(({ pattern }) => matchesPattern(pattern, workspace));
      retention = own?.retention ?? this.rules.default;
      this.known.set(workspace, retention);
    }
    return retention;
  }
}
