export { canonicalJson } from './canonical.ts';
export { MAX_JSON_DEPTH, scanJson, type ScanResult, type Span } from './scan.ts';
