// Whether the service in this container answers at all, for Docker's HEALTHCHECK. `/readyz` would be the wrong question: a
// node that waits for Redis is not helped by being restarted.
const response = await fetch(`http://127.0.0.1:${process.env.OPS_PORT}/healthz`, {
  signal: AbortSignal.timeout(2_000),
}).catch(() => null);
process.exitCode = response?.ok === true ? 0 : 1;
