# Switchyard's own services, one target each: docker build --target api|worker|notifier|model-gateway|docker-filter|egress|secrets .
# Node runs the TypeScript sources as they are (type stripping), so there is nothing to compile.

FROM node:24-bookworm-slim AS base
WORKDIR /app

# The manifests alone, whatever workspaces there are: the install layers below stay cached until one of them changes.
FROM base AS manifests
COPY . /source
RUN cd /source && find . -name package.json -o -name package-lock.json | xargs -I{} cp --parents {} /app

# What a service needs to run, and no more. Optional packages are other systems' binaries, the OpenCode server (which is an
# image of its own) and accelerators; install scripts would fetch binaries that no service here runs.
FROM base AS api-modules
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --workspace services/api --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base AS worker-modules
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --workspace services/worker --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base AS docker-filter-modules
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --workspace services/docker-filter --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base AS model-gateway-modules
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --workspace services/model-gateway --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base AS notifier-modules
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --workspace services/notifier --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base AS service
ENV NODE_ENV=production
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx

FROM service AS api
COPY --from=api-modules /app ./
COPY packages ./packages
COPY services/api ./services/api
USER 1000:1000
EXPOSE 3456
CMD ["node", "services/api/src/main.ts"]

# Git and the working directories are the worker's alone. A named volume takes the owner of the directory on which it is first
# mounted: each one is created here, for uid 1000.
FROM service AS worker
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ca-certificates git openssh-client >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && install -d -o node -g node /workspaces /var/lib/switchyard /run/switchyard/docker
COPY --from=worker-modules /app ./
COPY packages ./packages
COPY services/worker ./services/worker
USER 1000:1000
CMD ["node", "services/worker/src/main.ts"]

# The filter in front of the Docker socket.
FROM base AS docker-filter
ENV NODE_ENV=production
COPY --from=docker-filter-modules /app ./
COPY packages ./packages
COPY services/docker-filter ./services/docker-filter
RUN install -d -o node -g node /workspaces /run/switchyard/docker
USER 1000:1000
CMD ["node", "services/docker-filter/src/main.ts", "--listen=/run/switchyard/docker/docker.sock"]

# The egress proxy of the containers in which agents work. It imports nothing but Node.
FROM service AS egress
COPY packages/docker/src/egress ./egress
USER 1000:1000
CMD ["node", "egress/main.ts"]

FROM service AS notifier
COPY --from=notifier-modules /app ./
COPY packages ./packages
COPY services/notifier ./services/notifier
USER 1000:1000
CMD ["node", "services/notifier/src/main.ts"]

# Has the keys of model providers and calls the providers.
FROM service AS model-gateway
COPY --from=model-gateway-modules /app ./
COPY packages ./packages
COPY services/model-gateway ./services/model-gateway
RUN install -d -o node -g node /var/lib/switchyard
USER 1000:1000
EXPOSE 3459
CMD ["node", "services/model-gateway/src/main.ts"]

# Runs once before the others and makes the passwords they share with each other.
FROM base AS secrets
RUN install -d -o node -g node /run/switchyard/data /run/switchyard/opencode /run/switchyard/gateway
COPY deploy/secrets.ts ./
USER 1000:1000
CMD ["node", "secrets.ts"]
