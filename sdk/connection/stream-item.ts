import type {
  RealtimeEvent,
  StreamConnected,
  StreamDraining,
  StreamGap,
  StreamTokenExpiring,
} from '@sluice/protocol';
import { RealtimeError } from '../errors.js';
import { parseJsonObject } from '../http/response-body.js';

/** What a frame says. */
export type StreamItem =
  | { readonly name: 'event'; readonly data: RealtimeEvent }
  | { readonly name: 'stream.connected'; readonly data: StreamConnected }
  | { readonly name: 'stream.gap'; readonly data: StreamGap }
  | { readonly name: 'stream.token_expiring'; readonly data: StreamTokenExpiring }
  | { readonly name: 'stream.draining'; readonly data: StreamDraining }
  /** Not yet a Problem: a newer service may say more than this SDK knows. */
  | { readonly name: 'stream.error'; readonly data: Readonly<Record<string, unknown>> }
  | { readonly name: 'unknown' };

/** The members, and their types, without which the SDK cannot do with the data of an item what its name asks for. */
const MEMBERS: Readonly<Record<string, Readonly<Record<string, 'string' | 'number'>>>> = {
  event: { type: 'string', topic: 'string' },
  'stream.connected': { expiresAt: 'string', resumed: 'string' },
  'stream.gap': { reason: 'string' },
  'stream.token_expiring': {},
  'stream.draining': { reconnectInMs: 'number' },
  'stream.error': {},
};

/**
 * Reads the data of a frame by the frame's name. Named events that this SDK does not know come from a newer service, and are passed over;
 * so are frames without data.
 * @throws RealtimeError PROTOCOL_ERROR if the data is not what the name of the frame says.
 */
export function readStreamItem(event = 'message', text?: string): StreamItem {
  const name = event === 'message' ? 'event' : event;
  if (text === undefined || !Object.hasOwn(MEMBERS, name)) return { name: 'unknown' };
  const data = parseJsonObject(text);
  const members = Object.entries(MEMBERS[name] ?? {});
  if (!data || members.some(([member, type]) => typeof data[member] !== type)) {
    throw new RealtimeError('PROTOCOL_ERROR', {
      message: `The service sent an unreadable frame "${name}"`,
    });
  }
  return { name, data } as unknown as StreamItem;
}
