-- Redis' clock in whole milliseconds. Every instant in a record comes from here, so that hosts whose clocks
-- disagree still agree on order, expiry and delays.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Lua writes large numbers as 1.7e+12 when it joins them to a string; instants need all their digits. Commands are
-- given text too: Redis prints a number with %.17g, which costs as much as the smaller commands themselves.
local function whole(number)
  return string.format('%d', number)
end
