import { isPattern, isPermission, isWorkspace, type Permission } from '@sluice/protocol';

/** What a token or a client is good for. */
export interface Grant {
  readonly workspaces: readonly string[];
  readonly permissions: readonly Permission[];
}

/** What is granted on topics: patterns of them, each with permissions. */
export type TopicGrants = Readonly<Record<string, readonly string[]>>;

type Fault = { readonly fault: string };

/** A token travels in a header, and proxies commonly allow 8 KB of it. */
const MAX_WORKSPACES = 50;
/** Whoever reads the token looks at no more. */
const MAX_TOPICS = 100;
/** Under this name a token lists patterns, so it cannot be a topic. */
const RESERVED_TOPIC = 'rooms';

/** The grant that the values make, or the first thing that is wrong with them. */
export function readGrant(
  workspaces: unknown,
  permissions: unknown,
): { readonly grant: Grant } | Fault {
  const names = readWorkspaces(workspaces);
  if ('fault' in names) return names;
  if (!isListOf(isPermission, permissions)) return UNKNOWN_PERMISSIONS;
  return { grant: { workspaces: names.workspaces, permissions: [...new Set(permissions)] } };
}

/** As `readGrant`, for what is granted on some topics alone. */
export function readTopicGrant(
  workspaces: unknown,
  topics: TopicGrants,
): { readonly grant: { readonly workspaces: readonly string[]; topics: TopicGrants } } | Fault {
  const names = readWorkspaces(workspaces);
  if ('fault' in names) return names;
  const entries = Object.entries(topics);
  if (entries.length === 0 || entries.length > MAX_TOPICS) {
    return { fault: `the permissions are not for 1 to ${MAX_TOPICS} patterns of topics` };
  }
  for (const [pattern, permissions] of entries) {
    if (!isPattern(pattern) || pattern === RESERVED_TOPIC) {
      return { fault: 'the permissions name something that is not a pattern of topics' };
    }
    if (!isListOf(isPermission, permissions)) return UNKNOWN_PERMISSIONS;
    if (permissions.includes('realtime:admin')) {
      return { fault: 'realtime:admin is for a whole workspace, not for a topic' };
    }
  }
  const granted = entries.map(([pattern, permissions]) => [pattern, [...new Set(permissions)]]);
  return { grant: { workspaces: names.workspaces, topics: Object.fromEntries(granted) } };
}

const UNKNOWN_PERMISSIONS: Fault = {
  fault: 'the permissions are not a list of permissions that Sluice knows',
};

function readWorkspaces(value: unknown): { readonly workspaces: readonly string[] } | Fault {
  if (isListOf(isWorkspaceName, value) && value.length <= MAX_WORKSPACES) {
    return { workspaces: [...new Set(value)] };
  }
  return {
    fault: `the workspaces are not 1 to ${MAX_WORKSPACES} names of letters, digits, "_" and "-"`,
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
