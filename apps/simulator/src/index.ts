export { startSimulator, type Simulator, type SimulatorOptions } from './simulator.ts';
export { runSimulator } from './main.ts';
export type { Control } from './control.ts';
export type { LedgerEntry, LedgerPage, LedgerQuery, Outcome } from './ledger.ts';
export type { ModelCounts, Stats } from './stats.ts';
export type { Settings, SettingsInput } from './settings.ts';
export type { Fault } from './faults/fault.ts';
export { bodyDigest, bodySha256 } from './digest.ts';
export { parseAnswerText } from './marker.ts';
