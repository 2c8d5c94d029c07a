import { expect, onTestFinished, test } from 'vitest';
import { findOrStartRedis } from '../../src/index.ts';
import { startComposeRedis } from '../../src/redis/container.ts';
import { thisSystem, type System } from '../../src/system.ts';

const hasServer = ['redis-server', 'valkey-server'].some((name) => thisSystem().which(name));

/** Answers like Docker: `running` tells whether the service is up, its port is that of a real Redis. */
async function fakeDocker(running: boolean) {
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  onTestFinished(async () => await redis.stop());
  const calls: string[] = [];
  const state = { running };
  const say = (stdout: string, code = 0) => ({ code, stdout: `${stdout}\n`, stderr: '' });
  const system: System = {
    ...thisSystem({}),
    which: (name) => `/fake/${name}`,
    run: async (command, args) => {
      calls.push([command, ...args].join(' ').replace(/compose -p (\S+) -f \S+/, 'compose $1'));
      if (args.includes('up')) state.running = true;
      if (args.includes('port')) {
        return state.running ? say(`0.0.0.0:${new URL(redis.url).port}`) : say('', 1);
      }
      if (args.includes('ps')) return say('container1');
      if (args.includes('inspect')) return say('running');
      return say('');
    },
  };
  return { system, calls, redis };
}

test.runIf(hasServer)('starts the service, uses its container, and removes its data', async () => {
  const { system, calls, redis } = await fakeDocker(false);
  const found = await startComposeRedis(system, { file: '/x/docker-compose.yml', keepData: false });
  expect(found).toMatchObject({ kind: 'compose', url: redis.url });
  await found.kill9();
  await found.restart();
  await found.stop();
  await found.stop();
  expect(calls.filter((call) => !call.includes('inspect'))).toEqual([
    'docker compose version',
    'docker compose nightshift-throwaway port redis 6379',
    'docker compose nightshift-throwaway up -d redis',
    'docker compose nightshift-throwaway ps -q redis',
    'docker compose nightshift-throwaway port redis 6379',
    'docker kill --signal KILL container1',
    'docker stop container1',
    'docker start container1',
    'docker compose nightshift-throwaway down --volumes',
  ]);
});

test.runIf(hasServer)('takes one over that runs, and keeps data that is to be kept', async () => {
  const { system, calls } = await fakeDocker(true);
  const found = await startComposeRedis(system, { file: '/x/docker-compose.yml', keepData: true });
  await found.stop();
  expect(calls.some((call) => call.includes(' up '))).toBe(false);
  expect(calls.at(-1)).toBe('docker compose nightshift-local stop redis');
});
