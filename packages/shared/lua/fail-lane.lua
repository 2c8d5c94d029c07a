#!lua flags=allow-oom
--[[ Tells a lane that a call of it failed without an answer that counts, and opens its breaker when calls fail in a row.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 the failure in words  4 'call' | 'trial' | 'known' | 'silence'
      5 how many failures in a row open the breaker  6 a random number from 0 up to 1
      7 shortest and 8 longest time between two trials in ms
      9 when the caller's last success of another job came back, 10 when it was sent (unix ms on Redis' clock, or 0), 11 how long it took in ms

Returns  { run, lane state… }  run: the number of the run that the failure belongs to, 0 for none

'call' is one more failure of the run, and begins one where there is none. 'trial' is the answer of the single call that
tries an open breaker. 'known' is the failure of a request that has failed before while others succeeded: it says nothing
of the lane. 'silence' says that no call comes back any more, and opens the breaker at once.

Trials come at distances that grow with the outage itself, so that there are as many of them in its last hour as in its
first minutes, and each of them doubles what the outage has lasted. ]]
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
-- Another process hears answers: the silence is the caller's own.
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
