export { buildApp, type Api, type Dependencies } from './build-app.ts';
export { createEventHub, type EventHub } from './event-hub.ts';
export { runApi } from './run-api.ts';
export { startApi, type RunningApi, type StartOptions } from './start-api.ts';
