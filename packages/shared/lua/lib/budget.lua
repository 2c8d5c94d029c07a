-- The budget of a lane as one JSON document, see src/lane/budget.ts for its fields. Needs lib/time.

-- The provider's bucket is never planned down to 0: calls overtake each other on the way, estimates err, and others may
-- use the same key. The shorter the window, the larger the part of it that such errors can be.
local function floor_share(window_ms)
  if window_ms >= 30000 then return 0.05 end
  if window_ms >= 5000 then return 0.10 end
  return 0.15
end
local INTERACTIVE_FLOOR = 0.01
-- Above its floor by this part of the capacity a bucket is tried when nobody knows how full it is.
local PROBE_SHARE = 0.02
-- Calls overtake each other by about this much between their reservation and the provider's admission.
local GUARD_MS = 60
local MARK_EVERY_MS = 20
local HORIZON_MS = 500
-- What was believed of a bucket that nobody has used or heard of for so long is not believed any more.
local STALE_MS = 10000

-- Of what was reserved since the newest headers, so much more may really have been charged.
local ESTIMATE_MARGIN = 0.15
-- Over so long the difference between the own account and the headers is taken for what others use.
local DRIFT_MS = 1000

local DIMENSIONS = { 'requests', 'tokens' }

local function floor_of(dimension, is_interactive, largest)
  local capacity = dimension.capacity
  if is_interactive then return INTERACTIVE_FLOOR * capacity end
  local share = floor_share(capacity / dimension.rate)
  if capacity < 100 then share = math.max(share, 0.10) end
  return math.max(share * capacity, math.min(largest, 0.25 * capacity))
end

-- What may be missing from a level that was last heard of some time ago: reservations that were charged more than estimated,
-- and what others have used since. Also returns how fast the latter grows.
local function doubt_of(s, name, now)
  local d = s[name]
  if not d.synced then return 0, 0 end
  -- Learnt at another limit it may be more than this one has.
  local drift = math.min(d.drift or 0, 0.8 * d.rate)
  local since = math.max(0, s.reserved[name] - d.synced)
  local estimated = name == 'tokens' and ESTIMATE_MARGIN * since or 0
  return math.min(0.5 * d.capacity, estimated + drift * math.max(0, now - d.synced_at)), drift
end

local function largest_of(s, name)
  return name == 'requests' and 1 or s.largest
end

-- A lane that nobody knows anything of: one call at once, from a quarter of a second on ten a second, after one second
-- thirty. A refusal comes back at once and says more than any answer; answers take a second or two.
local function cold_date(cold)
  local n = cold.calls
  if n == 0 then return cold.since end
  if n <= 10 then return cold.since + 150 + n * 100 end
  return cold.since + 1150 + (n - 10) * 33
end

local function new_budget(now, worker)
  return {
    epoch = whole(now) .. ':' .. worker, at = now, seq = 0, heard = false, largest = 0, average = 0, turn = 0,
    reserved = { requests = 0, tokens = 0 }, marks = {}, workers = {}, cold = { since = now, calls = 0 },
    flow = { at = now, calls = 0, rate = 0 }, done = { calls = 0, ms = 0, output = 0, overloaded = 0, refused = 0 },
    used_at = now, next_at = { interactive = 0, bulk = 0 },
  }
end

-- The learnt rate: where a provider refuses without telling its limits. Doubles every second until it is refused for the
-- first time; afterwards grows slowly, faster while it is far below the rate that was refused or that is long ago.
local function grow_learned(s, now, elapsed_ms)
  local learned = s.learned
  local calm_ms = now - learned.at
  local per_second = 0.0005
  if not learned.ceiling then per_second = 1
  elseif learned.rate < 0.9 * learned.ceiling then per_second = 0.02
  elseif calm_ms > 60000 then per_second = 0.01 end
  learned.rate = math.min(learned.rate * (1 + per_second) ^ (elapsed_ms / 1000), 100)
  learned.capacity = math.max(1, learned.rate * 1000)
  learned.level = math.min(learned.capacity, learned.level + learned.rate * elapsed_ms)
  -- It has not held anything back for long: it is not a limit.
  if calm_ms > 60000 and learned.rate > 4 * math.max(s.flow.rate, 0.01) then s.learned = nil end
end

local function refill(s, now)
  local elapsed = math.max(0, now - s.at)
  s.at = math.max(now, s.at)
  for _, name in ipairs(DIMENSIONS) do
    local d = s[name]
    if d then
      d.level = math.min(d.capacity, d.level + d.rate * elapsed)
      if now - s.used_at > STALE_MS then
        d.level = math.min(d.level, floor_of(d, false, largest_of(s, name)) + PROBE_SHARE * d.capacity)
      end
    end
  end
  if s.learned then grow_learned(s, now, elapsed) end
end

-- A limit that the configuration states. It only ever lowers what the provider says.
local function apply_configured(s, limits)
  for _, name in ipairs(DIMENSIONS) do
    local per_minute = limits[name]
    if per_minute then
      local d = s[name]
      local rate = per_minute / 60000
      if not d then
        d = { limit = per_minute, rate = rate, capacity = per_minute, level = 0, seq = 0, source = 'config' }
        d.level = floor_of(d, false, largest_of(s, name)) + PROBE_SHARE * d.capacity
        s[name] = d
      elseif d.source == 'config' and d.limit ~= per_minute then
        d.limit, d.rate, d.capacity = per_minute, rate, per_minute
        d.level = math.min(d.level, d.capacity)
      elseif d.source == 'headers' and d.rate > rate then
        -- What the provider lets through at once stays a bound.
        d.limit, d.rate, d.capacity, d.source = per_minute, rate, math.min(d.capacity, per_minute), 'config'
        d.level = math.min(d.level, d.capacity)
      end
    end
  end
end

-- Others who use the same limit show by levels that turn out lower than the own account of them. Each news corrects the
-- level itself, so this only says how far it may have fallen since; nothing adds up.
local function learn_drift(d, missing, sent_at, changed)
  if changed or not d.drift_at then
    d.drift, d.missing, d.drift_at = d.drift or 0, 0, sent_at
    return
  end
  d.missing = d.missing + missing
  local elapsed = sent_at - d.drift_at
  if elapsed < DRIFT_MS then return end
  local weight = 0.5 ^ (elapsed / 10000)
  local rate = weight * d.drift + (1 - weight) * d.missing / elapsed
  d.drift = math.max(0, math.min(0.8 * d.rate, rate))
  d.missing, d.drift_at = 0, sent_at
end

-- Takes over what the provider's headers said of one bucket: news = { limit, rate, capacity, remaining }.
-- level = what remained when the call was sent + the refill since - what was reserved since. A call of an epoch that is
-- gone tells the limit, and of the level only that it is not above what it saw.
local function apply_headers(s, name, news, call, now)
  local d = s[name]
  local changed = not d or d.told ~= news.limit
  if d and call.seq > 0 and call.seq <= d.seq then return end
  if not d then
    d = { level = news.remaining, seq = 0 }
    s[name] = d
  end
  d.told = news.limit
  d.limit, d.rate, d.capacity, d.source = news.limit, news.rate, news.capacity, 'headers'
  local floor = floor_of(d, false, largest_of(s, name))
  if call.seq == 0 then
    -- Not one of this epoch's reservations.
    if changed then d.level = math.min(d.level, news.remaining, floor + PROBE_SHARE * d.capacity) end
    return
  end
  local age = math.max(0, now - call.sent_at)
  d.seq = call.seq
  -- Older than half of the window, the news of the level is worth less than the own account of it.
  if not changed and age > 0.5 * d.capacity / d.rate then return end
  local since = math.max(0, s.reserved[name] - call.guard[name])
  local level = math.min(d.capacity, news.remaining + d.rate * age) - since
  learn_drift(d, d.level - level, call.sent_at, changed)
  d.level, d.synced, d.synced_at = level, call.guard[name], call.sent_at
end

-- A refusal that no header explains. The first is left to the cool-down; when another comes within half a minute of the
-- cool-down's end, the rate is held from now on. One episode, however many answers bring it: those that were sent
-- before the last decrease count no more.
local function apply_unexplained_refusal(s, now, seq, random)
  local learned = s.learned
  if not learned then
    local first = s.refused_at
    if not first or now - first > 60000 then
      s.refused_at = now
      s.refused_seq = s.seq
      return
    end
    if now - first < 1000 or (seq > 0 and seq <= s.refused_seq) then return end
    s.learned = { rate = math.max(s.flow.rate, 0.005) * (0.85 + 0.1 * random), level = 0, capacity = 1, seq = s.seq, at = now }
    if s.flow.rate > 0.005 then s.learned.ceiling = s.flow.rate end
    return
  end
  if now - learned.at < 1000 or (seq > 0 and seq <= learned.seq) then return end
  local factor = now - learned.at < 30000 and 0.8 or 0.9
  learned.ceiling = learned.rate
  learned.rate = math.max(1 / 60000, learned.rate * (factor - 0.05 * random))
  learned.level, learned.seq, learned.at = math.min(learned.level, 0), s.seq, now
end

local function give_back(dimension, units)
  dimension.level = math.min(dimension.capacity, dimension.level + units)
end

local function take(s, tokens, date)
  local guard = nil
  for _, mark in ipairs(s.marks) do
    if mark[1] > date - GUARD_MS then
      guard = mark
      break
    end
  end
  local last = s.marks[#s.marks]
  if not last or date >= last[1] + MARK_EVERY_MS then
    s.marks[#s.marks + 1] = { date, s.reserved.requests, s.reserved.tokens }
  end
  guard = guard or { date, s.reserved.requests, s.reserved.tokens }
  s.reserved.requests = s.reserved.requests + 1
  s.reserved.tokens = s.reserved.tokens + tokens
  if s.requests then s.requests.level = s.requests.level - 1 end
  if s.tokens then s.tokens.level = s.tokens.level - math.min(tokens, s.tokens.capacity) end
  if s.learned then s.learned.level = s.learned.level - 1 end
  if s.cold then s.cold.calls = s.cold.calls + 1 end
  s.seq = s.seq + 1
  return { date, s.seq, guard[2], guard[3] }
end

local function forget_marks(s, now)
  local kept = {}
  for at, mark in ipairs(s.marks) do
    local following = s.marks[at + 1]
    -- The newest mark before the guard begins is the level that the guard starts from.
    if mark[1] > now - GUARD_MS or not following or following[1] > now - GUARD_MS then kept[#kept + 1] = mark end
  end
  s.marks = kept
end

-- The instant from which a call may be made, and the time that one such call takes out of the budget.
local function date_of(s, now, earliest, is_interactive, tokens)
  local date = earliest
  local spacing = 0
  for _, name in ipairs(DIMENSIONS) do
    local d = s[name]
    if d then
      local need = math.min(name == 'requests' and 1 or tokens, d.capacity)
      local doubt, drift = doubt_of(s, name, now)
      local floor = floor_of(d, is_interactive, largest_of(s, name)) + doubt
      floor = math.min(floor, d.capacity - need)
      date = math.max(date, now + (need + floor - d.level) / (d.rate - drift))
      spacing = math.max(spacing, need / d.rate)
    end
  end
  if s.learned then
    date = math.max(date, now + (1 - s.learned.level) / s.learned.rate)
    spacing = math.max(spacing, 1 / s.learned.rate)
  end
  if s.cold then
    date = math.max(date, cold_date(s.cold))
    spacing = math.max(spacing, 33)
  end
  return date, spacing
end

-- How far ahead reservations are made. What is reserved ahead for bulk is not there for interactive jobs, so it stays
-- well inside what bulk leaves to them.
local function horizon_of(s)
  -- A refusal of the first calls must still reach those that come after them.
  local horizon = s.cold and 20 or HORIZON_MS
  for _, name in ipairs(DIMENSIONS) do
    local d = s[name]
    if d then
      local between = floor_of(d, false, largest_of(s, name)) - INTERACTIVE_FLOOR * d.capacity
      horizon = math.min(horizon, 0.5 * between / d.rate)
    end
  end
  return math.max(20, horizon)
end
