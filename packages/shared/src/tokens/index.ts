export {
  correct,
  createEstimateError,
  inputError,
  inputRatio,
  learn,
  type EstimateError,
  type ObservedCall,
} from './estimate-error.ts';
export { estimateTokens, loadTokenizer, type TokenEstimate } from './estimate.ts';
