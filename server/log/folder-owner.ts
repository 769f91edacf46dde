import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** One register that several processes see: it is changed only where it still holds what the caller saw. */
export interface OwnerRegister {
  read(): string | null;
  /** Atomic across processes; `false` if somebody was faster. */
  exchange(seen: string | null, next: string | null): boolean;
}

/** Ends the ownership of a folder. */
export type Release = () => Promise<void>;

/**
 * Makes this process the only one that writes into `folder`. The owner listens on a socket in the folder, so that an
 * owner that was killed is told from one that lives, at once and across containers (where process ids mean nothing).
 * @throws Error if a living process owns the folder.
 */
export async function ownFolder(folder: string, register: OwnerRegister): Promise<Release> {
  const name = `owner-${randomBytes(4).toString('hex')}.sock`;
  const server = await listen(join(folder, name));
  for (;;) {
    const owner = register.read();
    if (owner !== null && (await isAlive(join(folder, owner)))) {
      server.close();
      throw new Error(`another Sluice process is using the data folder ${folder}`);
    }
    if (register.exchange(owner, name)) {
      if (owner !== null) await removeIfThere(join(folder, owner));
      return () => release(server, register, name);
    }
  }
}

async function release(server: Server, register: OwnerRegister, name: string): Promise<void> {
  register.exchange(name, null);
  await new Promise((resolve) => server.close(resolve));
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (cause) =>
      reject(
        new Error(`cannot take ownership of the data folder (socket ${path}): ${cause.message}`, {
          cause,
        }),
      ),
    );
    server.listen(path, () => {
      // The socket shall not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only these two say that nobody is there. Whatever else went wrong, the owner may live.
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
