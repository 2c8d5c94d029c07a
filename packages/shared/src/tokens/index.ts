export { estimateTokens, loadTokenizer, type TokenEstimate } from './estimate.ts';
