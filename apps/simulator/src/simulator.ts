import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { systemClock, type Clock } from './clock.ts';
import { parseSettings, type Control } from './control.ts';
import { Core } from './core.ts';
import { createSimulatorServer } from './http.ts';
import type { Settings, SettingsInput } from './settings.ts';

export interface SimulatorOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: a free port. */
  port?: number;
  /** What latencies and chances are drawn from; default 1. */
  seed?: number;
  /** Calls that the ledger remembers; default 200 000. */
  ledgerSize?: number;
  /** Keys that are let in; by default every key, and none. */
  apiKeys?: readonly string[];
  /** Limits, latency, faults: what `POST /_simulator/config` takes. */
  settings?: SettingsInput;
  clock?: Clock;
}

/** A running simulator. */
export interface Simulator extends Control {
  /** The base URL for SDKs: `http://127.0.0.1:PORT/v1`. */
  url: string;
  port: number;
  /** Cuts every connection and stops listening; may be called twice. */
  stop(): Promise<void>;
}

const DEFAULT_LEDGER_SIZE = 200_000;
/** Lets the answer to the call that asked for it out before connections are cut. */
const REFUSE_GRACE_MS = 20;

/** Starts listening. Rejects with a `TypeError` for wrong settings, or with the listen error. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, clock = systemClock } = options;
  const core = new Core({
    clock,
    seed: options.seed ?? 1,
    ledgerSize: options.ledgerSize ?? DEFAULT_LEDGER_SIZE,
    apiKeys: options.apiKeys ?? [],
    settings: parseSettings(options.settings ?? {}),
  });
  const control: Control = {
    calls: (query) => core.ledger.calls(query),
    stats: () => core.stats(),
    timeline: (query) => core.timeline.entries(query),
    settings: () => core.settings,
    configure: (patch) => configure(patch),
    reset: () => core.reset(),
  };
  const server = createSimulatorServer(core, control);
  await listen(server, host, port);
  const door = new Door(server, host, portOf(server));

  function configure(input: SettingsInput): Settings {
    const patch = parseSettings(input);
    core.configure(patch);
    if (patch.outage?.fault === 'refuse') door.shutFor(patch.outage.for_ms);
    else if (patch.outage !== undefined) door.open();
    return core.settings;
  }

  return {
    ...control,
    reset: () => {
      core.reset();
      door.open();
    },
    url: `http://${host.includes(':') ? `[${host}]` : host}:${door.port}/v1`,
    port: door.port,
    stop: () => door.stop(),
  };
}

/** Whether anybody listens on the port: an outage of kind "refuse" shuts it for a while. */
class Door {
  readonly port: number;
  readonly #server: Server;
  readonly #host: string;
  #reopening: NodeJS.Timeout | null = null;
  #stopped: Promise<void> | null = null;

  constructor(server: Server, host: string, port: number) {
    this.#server = server;
    this.#host = host;
    this.port = port;
  }

  shutFor(durationMs: number): void {
    if (this.#reopening) clearTimeout(this.#reopening);
    else {
      this.#server.close();
      setTimeout(() => this.#server.closeAllConnections(), REFUSE_GRACE_MS).unref();
    }
    this.#reopening = setTimeout(() => this.open(), Math.max(durationMs, REFUSE_GRACE_MS * 2));
  }

  open(): void {
    if (!this.#reopening) return;
    clearTimeout(this.#reopening);
    this.#reopening = null;
    if (!this.#stopped) this.#server.listen(this.port, this.#host);
  }

  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      const wasShut = this.#reopening !== null;
      if (this.#reopening) clearTimeout(this.#reopening);
      if (wasShut) resolve();
      else this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    return this.#stopped;
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
