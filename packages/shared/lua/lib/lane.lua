-- The state of a lane as its readers get it. Needs lib/time.
-- { now, cooling_until, paused_by_operator, paused_reason, paused_message, probe_at, probe_until, last_refused_at }
local function lane_state(key, now)
  local r = redis.call('HMGET', key, 'cooling_until', 'operator_paused', 'paused_reason', 'paused_message', 'probe_at',
    'probe_until', 'last_refused_at')
  return { whole(now), r[1] or '', r[2] or '', r[3] or '', r[4] or '', r[5] or '', r[6] or '', r[7] or '' }
end
