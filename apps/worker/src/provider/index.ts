export { createProvider, type Provider, type ProviderAnswer } from './provider.ts';
export type { AnswerHeaders } from './thin-fetch.ts';
