/** Where a proxy under test stands, and what it shall be in front of. */
export interface ProxyOptions {
  /** Port of loopback at which Sluice, or whoever stands in for it, answers HTTP. */
  readonly upstreamPort: number;
  /** A certificate for `localhost` and 127.0.0.1, and its key, as PEM files. */
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * A real proxy as a process of its own, with the configuration of `ops/` adapted to free ports, short deadlines and
 * folders of its own, and nothing else. Use it with `await using`: it ends the process and removes the folder.
 */
export interface RunningProxy extends AsyncDisposable {
  readonly name: string;
  /** Its public port, which speaks TLS (HTTP/1.1, and HTTP/2 by ALPN). */
  readonly tlsPort: number;
  /** The port at which it answers plain HTTP (a redirection, or nothing but 4xx); `null` where it has none. */
  readonly plainPort: number | null;
  /**
   * Everything that it has written so far, by where it stands: each log, standard output and error, each status page as
   * it answers now, each file of its folder.
   */
  outputs(): Promise<ReadonlyMap<string, Buffer>>;
}

export type StartProxy = (program: string, options: ProxyOptions) => Promise<RunningProxy>;
