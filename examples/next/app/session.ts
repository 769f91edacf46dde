/** Who is signed in, and what they may see. */
export interface User {
  readonly id: string;
  readonly workspaces: readonly string[];
}

/** Put your own session here: `cookies()` of `next/headers`, Auth.js, … `null`: nobody is signed in. */
export async function currentUser(): Promise<User | null> {
  return { id: 'alice', workspaces: ['acme'] };
}
