import { describe, expect, it } from 'vitest';
import {
  attemptsTold,
  busiestMinute,
  faultsOfLog,
  parseLog,
  readMetric,
} from '../support/night-checks.ts';

describe('the busiest minute', () => {
  it('slides, and ignores everything outside', () => {
    const seconds = (...at: number[]): number[] => at.map((second) => second * 1000);
    expect(busiestMinute([], 0, 1e6)).toBe(0);
    expect(busiestMinute(seconds(1, 59, 60, 61, 200), 0, 1e6)).toBe(3);
    expect(busiestMinute(seconds(61, 1, 60, 59), 0, 1e6)).toBe(3);
    expect(busiestMinute(seconds(0, 60), 0, 1e6)).toBe(1);
    expect(busiestMinute(seconds(1, 2, 3, 11, 12, 300, 301, 302), 10_000, 250_000)).toBe(2);
  });
});

describe('a metric', () => {
  const text = [
    '# HELP nightshift_lane_state x',
    'nightshift_lane_state{lane="l",model="a.b",state="open"} 0',
    'nightshift_lane_state{lane="l",model="a.b",state="unreachable"} 1',
    'nightshift_lane_state{lane="m",model="aXb",state="unreachable"} 4',
    'nightshift_lane_states{state="unreachable"} 8',
    'nightshift_redis_up 1',
  ].join('\n');
  it('is the sum of the samples with these labels', () => {
    expect(readMetric(text, 'nightshift_redis_up')).toBe(1);
    expect(readMetric(text, 'nightshift_lane_state', { state: 'unreachable' })).toBe(5);
    expect(readMetric(text, 'nightshift_lane_state', { model: 'a.b', state: 'open' })).toBe(0);
    expect(readMetric(text, 'nightshift_lane_state', { model: 'a.b' })).toBe(1);
    expect(readMetric(text, 'nightshift_lane_state', { odel: 'a.b' })).toBeNull();
    expect(readMetric(text, 'nightshift_none')).toBeNull();
  });
});

describe('the log lines of a state', () => {
  const story = { begins: /^lane\.gone$/, ends: /^(?:lane\.back|work\.moves slow)$/ };
  const line = (level: string, msg: string, pid = 1, more = {}): string =>
    JSON.stringify({ level, service: 'worker', pid, msg, ...more });
  const faults = (lines: string[], times?: number): string[] =>
    faultsOfLog(parseLog(lines), story, times);

  it('are right with one warning and one end in each process', () => {
    const lines = [
      'no JSON',
      '{"percent":1}',
      line('warn', 'lane.gone'),
      line('warn', 'lane.gone', 2),
      line('debug', 'attempt.retryable'),
      line('debug', 'lane.gone'),
      line('info', 'lane.back'),
      line('info', 'work.moves', 2, { reason: 'slow' }),
    ];
    expect(faults(lines)).toEqual([]);
  });

  it('are wrong when missing, repeated, at another level, or written for every attempt', () => {
    expect(faults([])).toHaveLength(2);
    expect(faults([line('warn', 'lane.gone')])).toEqual([expect.stringMatching(/it ended/)]);
    expect(faults([line('info', 'lane.gone'), line('info', 'lane.back')])).toHaveLength(1);
    const twice = [line('warn', 'lane.gone'), line('warn', 'lane.gone'), line('info', 'lane.back')];
    expect(faults(twice)).toEqual(['one process said 2 times that it began']);
    expect(faults(twice, 2)).toEqual([]);
    const told = [line('info', 'attempt.retryable'), line('warn', 'attempt.result_refused')];
    expect(attemptsTold(parseLog(told))).toHaveLength(1);
    expect(attemptsTold(parseLog(told.slice(1)))).toEqual([]);
  });
});
