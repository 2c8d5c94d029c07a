# One image for every process: `docker run IMAGE api`, `worker`, `simulator`. Written for BuildKit and for the
# classic builder alike.
FROM node:24-bookworm-slim AS build
ENV CI=true \
    npm_config_update_notifier=false \
    pnpm_config_pm_on_fail=ignore
WORKDIR /app

# What is downloaded depends on the lock file alone: a change of sources costs no download.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
RUN npm install --global --no-audit --no-fund "$(node -p "require('./package.json').packageManager.split('+')[0]")" \
 && pnpm fetch

COPY . .
RUN pnpm install --frozen-lockfile --offline \
 && pnpm run build:all --filter='@nightshift/cli...'

# What a process needs and nothing else. Without sources `bin/nightshift` runs the built tree on the image's
# own Node; the pinned runtime is a development dependency and stays behind. Types and maps are half of the size.
RUN find . -name node_modules -prune -exec rm -rf {} + \
 && rm -rf apps/*/src packages/*/src apps/*/.turbo packages/*/.turbo \
 && pnpm install --prod --frozen-lockfile --offline --filter '@nightshift/cli...' \
 && find . -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \
      -o -name 'tsconfig*.json' \) -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    NIGHTSHIFT_DATA_DIR=/data
# A named volume takes over owner and mode of the folder that it is first mounted on.
RUN install -d -o node -g node /data
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/bin bin
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/packages packages
COPY --from=build /app/apps apps
USER node
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/bin/container-entrypoint"]
CMD ["help"]
