import { isPermission, isWorkspace, type Permission } from '@sluice/protocol';

/** What a token or a client is good for. */
export interface Grant {
  readonly workspaces: readonly string[];
  readonly permissions: readonly Permission[];
}

/** A token travels in a header, and proxies commonly allow 8 KB of it. */
const MAX_WORKSPACES = 50;

/** The grant that the values make, or the first thing that is wrong with them. */
export function readGrant(
  workspaces: unknown,
  permissions: unknown,
): { readonly grant: Grant } | { readonly fault: string } {
  if (!isListOf(isWorkspaceName, workspaces) || workspaces.length > MAX_WORKSPACES) {
    return {
      fault: `the workspaces are not 1 to ${MAX_WORKSPACES} names of letters, digits, "_" and "-"`,
    };
  }
  if (!isListOf(isPermission, permissions)) {
    return { fault: 'the permissions are not a list of permissions that Sluice knows' };
  }
  return {
    grant: { workspaces: [...new Set(workspaces)], permissions: [...new Set(permissions)] },
  };
}

function isListOf<Item>(
  isItem: (value: unknown) => value is Item,
  value: unknown,
): value is Item[] {
  return Array.isArray(value) && value.length > 0 && value.every(isItem);
}

function isWorkspaceName(value: unknown): value is string {
  return typeof value === 'string' && isWorkspace(value);
}
