#!lua flags=allow-oom
--[[ One worker's turn at a lane's budget: takes over what its calls learnt, and reserves its next calls.

KEYS  1 budget  2 lane state
ARGV  1 the turn as JSON, see PaceTurn in src/redis/budget-store.ts  2 how long an unused budget is kept in ms

Returns JSON, see PaceReply there: the date of each reservation, or when to come again.

Atomic: levels, reservations and the share of each worker. All dates are on Redis' clock. Sent twice, it reserves twice,
and takes over once what it tells: what nobody uses comes back with the next headers. A budget that is gone (flush,
restart without data) begins a new epoch, in which nothing from before counts but the limits that answers tell. ]]
--#include lib/time
--#include lib/budget

local turn = cjson.decode(ARGV[1])
local now = now_ms()
local text = redis.call('GET', KEYS[1])
local s = text and cjson.decode(text)
-- Dates of a clock that was set back lie in a future in which nothing would be refilled.
if not s or now < s.at - 1000 then s = new_budget(now, turn.worker) end
local limited_before = s.requests ~= nil or s.tokens ~= nil or s.learned ~= nil or s.cold ~= nil

refill(s, now)
forget_marks(s, now)

-- What this worker's calls came to. A turn that is sent again, since its answer was lost, has told it before.
local self = s.workers[turn.worker]
if self and self[4] >= turn.number then
  turn.called, turn.exceeded, turn.returned, turn.refused, turn.done = 0, 0, nil, nil, {}
end
for name, value in pairs(turn.done) do s.done[name] = s.done[name] + value end
s.flow.calls = s.flow.calls + turn.called
local flow_ms = now - s.flow.at
if flow_ms >= 1000 then
  local weight = 0.5 ^ (flow_ms / 10000)
  s.flow.rate = weight * s.flow.rate + (1 - weight) * s.flow.calls / flow_ms
  s.flow.at, s.flow.calls = now, 0
end
if turn.returned and turn.returned.epoch == s.epoch then
  local back = turn.returned
  if s.requests then give_back(s.requests, back.requests) end
  if s.tokens then give_back(s.tokens, back.tokens) end
  if s.learned then give_back(s.learned, back.requests) end
  if s.cold then s.cold.calls = math.max(0, s.cold.calls - back.requests) end
end
if turn.exceeded > 0 and s.tokens then s.tokens.level = s.tokens.level - turn.exceeded end

apply_configured(s, turn.limits)
local news = turn.news
if news then
  local call = { seq = news.epoch == s.epoch and news.seq or 0, sent_at = news.sent_at, guard = news.guard }
  for _, name in ipairs(DIMENSIONS) do
    if news[name] then
      -- What is left of the configured limit, no answer knows.
      local own = s[name] and s[name].source == 'config' and s[name].level
      apply_headers(s, name, news[name], call, now)
      apply_configured(s, turn.limits)
      if own and s[name].source == 'config' then s[name].level = math.min(own, s[name].level) end
    end
  end
  -- Who tells limits needs no guessing.
  if s.requests or s.tokens then s.learned, s.concurrency = nil, nil end
end
if turn.refused then
  local seq = turn.refused.epoch == s.epoch and turn.refused.seq or 0
  apply_unexplained_refusal(s, now, seq, turn.random)
end
-- Whoever answered has been heard: a lane without limits is open from then on.
if s.cold and (s.requests or s.tokens or turn.answered > 0) then
  s.cold = nil
  if not s.requests and not s.tokens then s.concurrency = turn.first_concurrency end
end

-- Who works here, and what each may have of the concurrency.
s.workers[turn.worker] = { turn.leaving and now - 5001 or now, turn.in_flight, turn.waiting, turn.number }
local workers, in_flight, demand = 0, 0, 0
for id, worker in pairs(s.workers) do
  if now - worker[1] > 60000 then
    s.workers[id] = nil
  elseif now - worker[1] <= 5000 then
    workers = workers + 1
    in_flight = in_flight + worker[2]
    demand = demand + worker[2] + worker[3] + 1
  end
end
if turn.governor then
  local g = s.governor
  if not g or g.id == turn.worker or g['until'] < now then
    s.governor = { id = turn.worker, ['until'] = now + 3000, state = g and g.state or nil }
  end
end
local governs = s.governor ~= nil and s.governor.id == turn.worker and not turn.leaving
if governs and turn.concurrency then
  s.concurrency = turn.concurrency.limit
  s.governor.state = turn.concurrency.state
end
local share = nil
if s.concurrency then
  local mine = turn.in_flight + turn.waiting + 1
  local limit = math.floor(s.concurrency)
  if limit >= workers then
    -- One for each, and the rest by what each has to do.
    share = 1 + math.floor((limit - workers) * mine / math.max(1, demand))
  else
    -- Fewer than workers: one after the other has its turn.
    share = 0
    s.turn = s.turn + 1
    if s.turn % math.ceil(workers / s.concurrency) == 0 then share = 1 end
  end
end

-- Reservations, in the order in which they were asked for.
local earliest = now
local cooling_until = tonumber(redis.call('HGET', KEYS[2], 'cooling_until') or '')
if cooling_until and cooling_until > now then earliest = cooling_until end
local is_limited = s.requests ~= nil or s.tokens ~= nil or s.learned ~= nil or s.cold ~= nil
local horizon = horizon_of(s)
local grants, comes_again = {}, {}
if is_limited then
  for _, wanted in ipairs(turn.wanted) do
    local class, tokens = wanted[1], wanted[2]
    s.largest = math.max(tokens, s.largest * 0.999)
    s.average = s.average == 0 and tokens or 0.98 * s.average + 0.02 * tokens
    local denied = comes_again[class]
    local date, spacing
    if not denied then
      date, spacing = date_of(s, now, earliest, class == 'interactive', tokens)
      if date > now + horizon then
        -- Those who are denied come back one after the other, and a little before their time, for a dated reservation.
        s.turn = s.turn + 1
        denied = math.max(now + 10, date - 0.5 * horizon + (s.turn % workers) * math.min(spacing, 1000))
        comes_again[class] = denied
        s.next_at[class] = date
        -- What somebody waits for is in use: not believed any more, its refill would never be enough for a large call.
        s.used_at = math.max(s.used_at, date)
      end
    end
    if denied then
      grants[#grants + 1] = false
    else
      grants[#grants + 1] = take(s, tokens, date)
      s.used_at = math.max(s.used_at, now)
    end
  end
elseif turn.called > 0 then
  s.used_at = now
  s.reserved.requests = s.reserved.requests + turn.called
end

local calls_per_ms = nil
for _, d in ipairs({ s.requests or false, s.tokens or false, s.learned or false }) do
  if d then
    local rate = d == s.tokens and d.rate / math.max(1, s.average) or d.rate
    calls_per_ms = math.min(calls_per_ms or rate, rate)
  end
end

redis.call('SET', KEYS[1], cjson.encode(s), 'PX', ARGV[2])
-- Those who call freely must hear that there is a limit now.
if is_limited and not limited_before then redis.call('PUBLISH', turn.channel, turn.lane) end

local function per_minute(d)
  return d and d.rate * 60000 or nil
end
return cjson.encode({
  requests_per_minute = per_minute(s.requests or s.learned), tokens_per_minute = per_minute(s.tokens),
  now = now, epoch = s.epoch, limited = is_limited, cold = s.cold ~= nil, grants = grants, comes_again = comes_again,
  workers = workers, in_flight = in_flight, share = share, concurrency = s.concurrency, calls_per_ms = calls_per_ms,
  governs = governs, governor_state = governs and s.governor.state or nil, done = governs and s.done or nil,
})
