import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type Redis, type RedisOptions, SentinelConnector } from 'ioredis';

// ioredis listens to the first error of a socket alone. A TLS socket may have a second one, such as the other side's alert
// behind a certificate that was refused, and an error that nobody listens to ends the process.

type NetStream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** Connects to one place. */
export class PlaceConnector extends AbstractConnector {
  private readonly options: RedisOptions;

  constructor(options: unknown) {
    const given = options as RedisOptions;
    super(given.disconnectTimeout ?? 0);
    this.options = given;
  }

  async connect(): Promise<NetStream> {
    this.connecting = true;
    const { host = '', port = 0, tls } = this.options;
    const socket: Socket =
      tls === undefined ? createConnection({ host, port }) : connectTls({ host, port, ...tls });
    socket.once('error', (error) => {
      this.firstError = error;
    });
    this.stream = tolerant(socket);
    return this.stream;
  }
}

/** What ioredis opens connections to Sentinels by. */
interface Asking {
  connectToSentinel(sentinel: unknown, options?: RedisOptions): Redis;
}

/** Connects to whom the Sentinels name. */
export class PrimaryConnector extends SentinelConnector {
  constructor(options: unknown) {
    const given = options as RedisOptions;
    super(given as ConstructorParameters<typeof SentinelConnector>[0]);
    const asking = this as unknown as Asking;
    const connect = asking.connectToSentinel.bind(this);
    const { disconnectTimeout = 0 } = given;
    // ioredis has no settings for these. Without a listener it writes what goes amiss to the console; without a shorter
    // good-bye, and with a limit on listening to a Sentinel that is gone, it keeps the process for seconds.
    asking.connectToSentinel = (sentinel, more) => {
      const options = { ...more, disconnectTimeout, Connector: PlaceConnector };
      const isForListening = more?.lazyConnect === true;
      const limits = isForListening ? { commandTimeout: undefined } : {};
      return connect(sentinel, { ...options, ...limits }).on('error', () => {});
    };
  }

  override async connect(tell: Parameters<SentinelConnector['connect']>[0]): Promise<NetStream> {
    const tellPlainly: typeof tell = (type, error) =>
      tell(type, type === 'error' ? plainly(error) : error);
    return tolerant(await super.connect(tellPlainly));
  }
}

/** Without the pause of the moment, so that the same failure has the same words. */
function plainly(error: Error): Error {
  if (!error.message.startsWith('All sentinels are unreachable')) return error;
  const [, last] = /Last error: (.*)$/s.exec(error.message) ?? [];
  return new Error(last === undefined ? 'no Sentinel answers' : `no Sentinel helps: ${last}`);
}

function tolerant<Stream extends NetStream | Socket>(stream: Stream): NetStream {
  return stream.on('error', () => {}) as NetStream;
}
