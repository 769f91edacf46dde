import { eventsPath, TOPICS_PARAMETER, TYPES_PARAMETER } from '@sluice/protocol';
import type { StreamRequest } from './transport.js';

/** The address of a stream: what is subscribed to, and the parameters that the transport adds. */
export function streamAddress(
  { endpoint, workspace, topics, types }: StreamRequest,
  parameters: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams(parameters);
  if (topics.length > 0) query.set(TOPICS_PARAMETER, topics.join());
  if (types.length > 0) query.set(TYPES_PARAMETER, types.join());
  const search = query.toString();
  return endpoint + eventsPath(workspace) + (search && `?${search}`);
}
