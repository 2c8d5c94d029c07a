export type { InputError, InputErrorCode, InputRequest } from './input-line.ts';
export { validateInput, type InputLine, type InputRules } from './validate-input.ts';
