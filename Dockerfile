# The service alone: docker build -t sluice .
# A tag can be moved to another image. To pin one for good, name its digest: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

# What compiles it.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY protocol/package.json protocol/
COPY server/package.json server/
COPY sdk/package.json sdk/
COPY tools/docs/package.json tools/docs/
# No package needs its install script: lmdb's binaries come from the registry.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.base.json ./
COPY protocol protocol
COPY server server
RUN npx tsc -b protocol server

# What it runs with.
FROM ${NODE_IMAGE} AS packages
WORKDIR /build
COPY package.json package-lock.json ./
COPY protocol/package.json protocol/
COPY server/package.json server/
COPY sdk/package.json sdk/
COPY tools/docs/package.json tools/docs/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace=@sluice/protocol --workspace=@sluice/server

FROM ${NODE_IMAGE}
# What installs and builds is not there to be used by whoever breaks in.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* /usr/local/bin/yarn*
RUN install -d -m 0700 -o 10001 -g 10001 /data
WORKDIR /app
COPY LICENSE ./
COPY --from=packages /build/node_modules node_modules
COPY --from=build /build/protocol/package.json protocol/
COPY --from=build /build/protocol/dist protocol/dist
COPY --from=build /build/server/package.json server/
COPY --from=build /build/server/bin server/bin
COPY --from=build /build/server/dist server/dist
COPY ops/docker/health.js ./

LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="Server-Sent Events subscriptions behind a gate" \
      org.opencontainers.image.licenses="Apache-2.0"

ENV NODE_ENV=production \
    PATH=/app/node_modules/.bin:/usr/local/bin:/usr/bin:/bin \
    HOST=0.0.0.0 \
    PORT=3000 \
    OPS_PORT=9464 \
    DATA_DIR=/data

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
VOLUME ["/data"]
EXPOSE 3000 9464
# It drains on SIGTERM: give it the time that docs/configuration.md names ("Going down").
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["node", "health.js"]
CMD ["node", "--max-semi-space-size=16", "--initial-old-space-size=96", "server/dist/main.js"]
