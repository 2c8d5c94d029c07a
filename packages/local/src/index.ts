export { eventually, type EventuallyOptions, type Truthy } from './eventually.ts';
export { freePort } from './free-port.ts';
export { spawnChild, type Child, type Exit } from './child.ts';
export { startProcess, type Readiness, type StartProcessOptions } from './process.ts';
export { startSimulator, startStack, type Env, type Stack, type StackOptions } from './stack.ts';
export { findOrStartRedis, type FindOrStartRedisOptions } from './redis/find-or-start.ts';
export { startRedisServer } from './redis/server.ts';
export type { RedisHandle, RedisKind } from './redis/handle.ts';
