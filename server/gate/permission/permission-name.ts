import { PERMISSIONS, type Permission } from '@sluice/protocol';

/** The permission that a full name (`realtime:subscribe`) or a short one (`subscribe`) stands for; `null` for others. */
export function permissionOf(name: unknown): Permission | null {
  if (typeof name !== 'string') return null;
  return (
    PERMISSIONS.find((permission) => permission === name || permission === `realtime:${name}`) ??
    null
  );
}
