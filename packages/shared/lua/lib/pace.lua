-- How fast results of a lane come, by hash: lane → 'SINCE COUNT PER_SECOND'. Needs lib/time.

-- A pace is taken over at least so long: results come in groups.
local PACE_SPAN_MS = 250
-- Without a result for so long there is none.
local PACE_LIFE_MS = 1000

local function pace_parts(paces, lane, now)
  local since, counted_since, per_second = string.match(redis.call('HGET', paces, lane) or '', '^(%d+) (%d+) (%d+)$')
  -- An instant that lies ahead is of another Redis, whose clock was.
  if not since or tonumber(since) > now + PACE_LIFE_MS then return nil end
  return tonumber(since), tonumber(counted_since), tonumber(per_second)
end

-- Results in a second.
local function pace_of(paces, lane, now)
  local since, _, per_second = pace_parts(paces, lane, now)
  return since and now - since < PACE_LIFE_MS and per_second or 0
end

local function add_to_pace(paces, lane, results, now)
  local since, counted_since, per_second = pace_parts(paces, lane, now)
  if since and now - since < PACE_SPAN_MS then
    results = counted_since + results
  else
    per_second = since and math.floor((counted_since + results) * 1000 / (now - since)) or 0
    results = since and 0 or results
    since = now
    -- Lanes may be as many as models.
    redis.call('PEXPIRE', paces, 60000)
  end
  redis.call('HSET', paces, lane, whole(since) .. ' ' .. whole(results) .. ' ' .. whole(per_second))
end
