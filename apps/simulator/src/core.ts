import { randomBytes } from 'node:crypto';
import { Attempts } from './attempts.ts';
import type { Clock } from './clock.ts';
import { Rules } from './faults/rules.ts';
import { Ledger } from './ledger.ts';
import { LimitRegistry } from './limits/registry.ts';
import { OutageState } from './outage.ts';
import { defaultSettings, mergeSettings, type Settings, type SettingsPatch } from './settings.ts';
import { ScriptedAnswers } from './scripted-answers.ts';
import { Counters, type Stats } from './stats.ts';
import { Timeline } from './timeline.ts';

export interface CoreOptions {
  clock: Clock;
  seed: number;
  ledgerSize: number;
  /** Keys that are let in; empty: every key, and none. */
  apiKeys: readonly string[];
  settings: SettingsPatch;
}

const TIMELINE_ENTRIES = 100_000;

/** The provider behind the HTTP server: what it allows, how it misbehaves, what it remembers. */
export class Core {
  readonly clock: Clock;
  readonly seed: number;
  readonly apiKeys: ReadonlySet<string>;
  /** Keeps answer ids apart between two runs of the simulator. */
  readonly runId: string = randomBytes(3).toString('hex');
  readonly ledger: Ledger;
  readonly counters: Counters = new Counters();
  readonly timeline: Timeline = new Timeline(TIMELINE_ENTRIES);
  readonly attempts: Attempts;
  readonly limits: LimitRegistry;
  readonly rules: Rules;
  readonly answers: ScriptedAnswers;
  readonly outage: OutageState = new OutageState();
  #settings: Settings;

  constructor(options: CoreOptions) {
    this.clock = options.clock;
    this.seed = options.seed;
    this.apiKeys = new Set(options.apiKeys);
    this.ledger = new Ledger(options.ledgerSize);
    this.attempts = new Attempts(options.ledgerSize);
    this.#settings = mergeSettings(defaultSettings, options.settings);
    this.limits = new LimitRegistry(this.#settings, this.clock);
    this.rules = new Rules(this.#settings.rules, this.clock());
    this.answers = new ScriptedAnswers(this.#settings.answers);
    this.outage.set(options.settings.outage ?? null, this.clock());
  }

  get settings(): Settings {
    return this.#settings;
  }

  stats(): Stats {
    const engines = [...this.limits.engines()].map(
      ([model, slots]) => [model, slots.occupancy()] as const,
    );
    return {
      at_ms: Math.floor(this.clock()),
      ...this.counters.snapshot(),
      engines: Object.fromEntries(engines),
    };
  }

  configure(patch: SettingsPatch): void {
    const nowMs = this.clock();
    this.#settings = mergeSettings(this.#settings, patch);
    this.limits.configure(this.#settings, nowMs);
    if (patch.rules) this.rules.set(patch.rules, nowMs);
    if (patch.answers) this.answers.set(patch.answers);
    if (patch.outage !== undefined) this.outage.set(patch.outage, nowMs);
  }

  /** Forgets calls, counts, attempts and bucket levels, ends an outage; settings stay. */
  reset(): void {
    this.ledger.reset();
    this.counters.reset();
    this.timeline.reset();
    this.attempts.reset();
    this.limits.reset();
    this.rules.set(this.#settings.rules, this.clock());
    this.outage.set(null, this.clock());
  }
}
