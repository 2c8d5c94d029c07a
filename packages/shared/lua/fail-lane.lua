#!lua flags=allow-oom
--[[ Records a retryable failure of a lane's call, and opens the breaker after enough consecutive failures.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 message  4 'call' | 'trial' | 'known' | 'silence'
      5 number of consecutive failures that open the breaker  6 a random number from 0 up to 1
      7 shortest and 8 longest delay between two trials in ms
      9 when the last success in the caller's process came back, 10 when it was sent (unix ms on Redis' clock, or 0)
      11 how long it took in ms

Returns  { run, lane state… }   run: the number of the run that the failure belongs to, 0 for none

'call' is one more failure of the current run, or starts a run. 'trial' is the failure of the trial call. 'known' is the failure of
a request that failed before while others succeeded: it does not count. 'silence' means that no call comes back any more; it opens
the breaker at once.

The delay between trials is the length of the outage so far, within its bounds. Can be sent twice: a failure then counts twice.

Atomic: the run, the breaker and the next trial. ]]
--#include lib/time
--#include lib/lane
--#include lib/breaker

local key, lane, channel, message, kind = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local most, random, shortest, longest = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local succeeded_at, succeeded_sent_at, took_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
assert(most and random and shortest and longest and succeeded_at and succeeded_sent_at and took_ms, 'fail-lane: not a number')

local now = now_ms()
local s = read_breaker(key)
if succeeded_at > 0 then
  note_success(key, s, succeeded_at, succeeded_sent_at, took_ms)
  end_run_if_answered(key, s, succeeded_at)
end

local function reply(run)
  return { whole(run), unpack(lane_state(key, now)) }
end

local function next_trial(from)
  local lasted = now - (s.unreachable_since or now)
  return math.max(now, from + math.min(longest, math.max(shortest, lasted) * (1 + 0.1 * random)))
end

if s.unreachable_since then
  redis.call('HINCRBY', key, 'failures', 1)
  redis.call('HSET', key, 'last_error', message)
  if kind == 'trial' then
    redis.call('HSET', key, 'trial_at', whole(next_trial(s.trial_began or now)), 'trial_until', '')
    redis.call('PUBLISH', channel, lane)
  end
  return reply(0)
end
if kind == 'known' then return reply(0) end
-- Another process had a recent success, so only the caller's own calls hang.
if kind == 'silence' and s.slow_ms and s.succeeded_at and now - s.succeeded_at < 4 * s.slow_ms then return reply(0) end

local is_new = s.run_since == nil
if is_new then
  s.run, s.run_since, s.run_failures = s.run + 1, now, 0
end
s.run_failures = s.run_failures + 1
redis.call('HSET', key, 'run', whole(s.run), 'run_since', whole(s.run_since), 'run_failures', whole(s.run_failures),
  'last_error', message)
local opens = kind == 'silence' or s.run_failures >= most
if opens then
  s.unreachable_since = s.run_since
  local runs = ',' .. whole(s.run) .. s.opened_runs
  local _, cut = string.find(runs, string.rep('[^,]*,', MAX_RUNS_KEPT + 1))
  redis.call('HSET', key, 'unreachable_since', whole(s.run_since), 'failures', whole(s.run_failures),
    'opened_runs', cut and string.sub(runs, 1, cut) or runs, 'trial_at', whole(next_trial(now)), 'trial_until', '')
end
if is_new or opens then redis.call('PUBLISH', channel, lane) end
return reply(s.run)
