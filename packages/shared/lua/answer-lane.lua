#!lua flags=allow-oom
--[[ Tells a lane that a provider answers: ends a run of failures, and closes its breaker.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 'success' | 'answer' | 'trial'   4 when it came back  5 when it was sent (unix ms on Redis' clock)
      6 how long it took in ms

Returns the lane's state, see lib/lane.

'success' is a result. 'answer' is a refusal of the request or of the credential: whoever says no is there. 'trial' is either of
them, to the single call that tries an open breaker. Only what was sent after the breaker opened closes it: calls that were
in flight may still come back from a provider that takes no new ones. ]]
--#include lib/time
--#include lib/lane
--#include lib/breaker

local key, lane, channel, kind = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local at, sent_at, took_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
assert(at and sent_at and took_ms, 'answer-lane: not a number')

local now = now_ms()
local s = read_breaker(key)
if kind == 'success' then note_success(key, s, at, sent_at, took_ms) end
if s.unreachable_since and (kind == 'trial' or sent_at > s.unreachable_since) then
  redis.call('HDEL', key, 'unreachable_since', 'failures', 'last_error', 'trial_began', 'trial_at', 'trial_until',
    'run_since', 'run_failures')
  redis.call('PUBLISH', channel, lane)
elseif not s.unreachable_since and end_run_if_answered(key, s, at) then
  redis.call('PUBLISH', channel, lane)
end
return lane_state(key, now)
