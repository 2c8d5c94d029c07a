-- The breaker of a lane. Needs lib/time. Fields of the lane's state:
--   run, run_since, run_failures     a run of consecutive failures: its number, when its first failure came back, their count
--   opened_runs                      numbers of the last runs that opened the breaker, newest first, each between commas
--   unreachable_since                set while the breaker is open: when the first failure of its run came back
--   failures, last_error             failures during the outage: their count, and the message of the last
--   trial_began, trial_at            when the last trial began, and when the next is due
--   trial_until                      until when a worker holds the trial
--   succeeded_at, succeeded_sent_at  when the last success came back, and the latest time at which a successful call was sent
--   slow_ms                          how long a slow call takes

local MAX_RUNS_KEPT = 20

-- Stores a success that a process reports. at, sent_at: Redis' clock; took_ms: how long the call took.
local function note_success(key, s, at, sent_at, took_ms)
  if at <= (s.succeeded_at or 0) and sent_at <= (s.succeeded_sent_at or 0) then return end
  s.succeeded_at = math.max(s.succeeded_at or 0, at)
  s.succeeded_sent_at = math.max(s.succeeded_sent_at or 0, sent_at)
  -- Slow calls are rare, so the maximum decays slowly: over some hundred reports.
  s.slow_ms = math.max(took_ms, 0.99 * (s.slow_ms or 0))
  redis.call('HSET', key, 'succeeded_at', whole(s.succeeded_at), 'succeeded_sent_at', whole(s.succeeded_sent_at),
    'slow_ms', whole(s.slow_ms))
end

-- A success that came back after the run began ends it. Returns whether it did.
local function end_run_if_answered(key, s, answered_at)
  if not s.run_since or answered_at < s.run_since then return false end
  s.run_since, s.run_failures = nil, 0
  redis.call('HDEL', key, 'run_since', 'run_failures')
  return true
end

local function read_breaker(key)
  local r = redis.call('HMGET', key, 'run', 'run_since', 'run_failures', 'unreachable_since', 'failures', 'trial_began',
    'succeeded_at', 'succeeded_sent_at', 'slow_ms', 'opened_runs')
  return { run = tonumber(r[1] or '') or 0, run_since = tonumber(r[2] or ''), run_failures = tonumber(r[3] or '') or 0,
    unreachable_since = tonumber(r[4] or ''), failures = tonumber(r[5] or '') or 0, trial_began = tonumber(r[6] or ''),
    succeeded_at = tonumber(r[7] or ''), succeeded_sent_at = tonumber(r[8] or ''), slow_ms = tonumber(r[9] or ''),
    opened_runs = r[10] or ',' }
end
