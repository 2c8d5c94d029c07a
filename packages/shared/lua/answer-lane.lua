#!lua flags=allow-oom
--[[ Records that a lane's provider answered: ends a run of failures, and may close the breaker.

KEYS  1 lane state
ARGV  1 lane id  2 lanes channel  3 'success' | 'answer' | 'trial'  4 when the call came back  5 when it was sent (unix ms
      on Redis' clock)  6 how long it took in ms

Returns the lane's state, see lib/lane.

'success' is a result. 'answer' is a refusal of the request or of the credential: the provider is reachable. 'trial' is either of
them, as the answer to the trial call. Besides a trial, only an answer to a call that was sent after the outage began closes the
breaker: a provider that takes no new calls may still answer those in flight.

Atomic: the success, the end of the run and the closing of the breaker. Can be sent twice. ]]
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
