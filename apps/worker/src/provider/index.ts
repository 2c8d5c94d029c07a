export { createProvider, type Provider, type ProviderAnswer } from './provider.ts';
