export type {
  ControlEventName,
  ControlEvents,
  StreamConnected,
  StreamDraining,
  StreamGap,
  StreamTokenExpiring,
} from './control-event.js';
export { type Cursor, formatCursor, parseCursor } from './cursor.js';
export {
  CLIENT_ERROR_TITLES,
  CLIENT_ERRORS,
  type ClientErrorCode,
  codeOfStatus,
  ERRORS,
  type ErrorCode,
  type ErrorEntry,
  isServiceErrorCode,
  isTerminal,
  type Problem,
  problemOf,
  SERVICE_ERROR_TITLES,
  SERVICE_ERRORS,
  type ServiceErrorCode,
} from './errors.js';
export {
  type EventDefaults,
  type EventReading,
  MAX_DATA_DEPTH,
  type RealtimeEvent,
  readCloudEvent,
  readShortEvent,
} from './event.js';
export { encodeFrame, type Frame, hasControlCharacter, TERMINAL_RETRY_MS } from './frame.js';
export { isPermission, PERMISSIONS, type Permission } from './permission.js';
export {
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
  CONTENT_TYPES,
  EVENT_STREAM_TYPE,
  EVENTS_ROUTE,
  eventsPath,
  isWorkspace,
  JWKS_PATH,
  MAX_PATTERNS,
  METADATA_PATH,
  PARAMETERS,
  PROBLEM_TYPE,
  REVOCATIONS_ROUTE,
  revocationsPath,
  STREAM_TOKENS_ROUTE,
  streamTokensPath,
  TOKEN_PATH,
  TOPICS_PARAMETER,
  TYPES_PARAMETER,
} from './routes.js';
export { isName, isPattern, MAX_NAME_LENGTH, matchesPattern, patternsOverlap } from './topic.js';
