export {
  correct,
  createEstimateError,
  inputError,
  inputRatio,
  learn,
  OUTPUT_BEFORE_ANY,
  type EstimateError,
  type ObservedCall,
} from './estimate-error.ts';
export { estimateTokens, loadTokenizer, type TokenEstimate } from './estimate.ts';
