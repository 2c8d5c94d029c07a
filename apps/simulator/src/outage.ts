import { decideSteps, type Draws } from './faults/decide.ts';
import type { Misbehaviour } from './faults/fault.ts';
import type { Outage } from './settings.ts';

/** A stretch of time in which every call meets the same fault, before any limit is charged. */
export class OutageState {
  #outage: Outage | null = null;
  #untilMs = 0;

  set(outage: Outage | null, nowMs: number): void {
    this.#outage = outage;
    this.#untilMs = outage === null ? 0 : nowMs + outage.for_ms;
  }

  /** Null outside an outage, and for a call that it spares. */
  decide(draws: Draws, nowMs: number): Misbehaviour | null {
    if (this.#outage === null || nowMs >= this.#untilMs) return null;
    const { fault } = this.#outage;
    if (fault === 'refuse') return null;
    const misbehaviour = decideSteps(fault, draws, 0);
    return misbehaviour.fault === null ? null : misbehaviour;
  }
}
