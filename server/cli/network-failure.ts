/** Says in plain words why `fetch` did not get an answer from `address`. */
export function describeNetworkFailure(error: unknown, address: URL): string {
  const { origin, hostname } = address;
  const cause = (error as Error).cause as { code?: unknown; message?: unknown } | undefined;
  switch (cause?.code) {
    case 'ECONNREFUSED':
      return `nothing answers at ${origin}: is the service running there?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host ${hostname} is not known`;
    default:
      return `the connection to ${origin} failed (${cause?.code ?? cause?.message ?? (error as Error).message})`;
  }
}
