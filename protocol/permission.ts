/** What a principal may be permitted to do in a workspace. */
export const PERMISSIONS = [
  'realtime:subscribe',
  'realtime:publish',
  'realtime:presence',
  'realtime:admin',
] as const;

/** One of the permissions. */
export type Permission = (typeof PERMISSIONS)[number];

/** Whether `value` is one of the permissions. */
export function isPermission(value: unknown): value is Permission {
  return (PERMISSIONS as readonly unknown[]).includes(value);
}
