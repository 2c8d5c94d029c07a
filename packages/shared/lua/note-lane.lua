#!lua flags=allow-oom
--[[ Adds what one worker observed since its last report to a lane's history, from which dry runs estimate.

KEYS  1 history  2, 3 the waiting lists of the lane's queues  4, 5 their prioritised sets
ARGV  1 now in unix ms  2 results since the last report
      3 lengths of answers by endpoint, JSON: { ENDPOINT: { answers, tokens, buckets } }, see src/lane/history.ts
      4 answers of an endpoint above which its counts are halved  5 length of an interval in ms
      6 intervals above which the sums of the throughput are halved  7 how long a history is kept after its last report, in ms

Returns  'noted'

Atomic, since several workers report the same lane. A report that is sent twice counts twice: the history only serves estimates.

Throughput comes from whole intervals in which work was waiting in at least three of four reports. In others the lane could have
done more than it did. ]]
--#include lib/time

local function number_of(index)
  local number = tonumber(ARGV[index])
  -- The comparison also rejects NaN.
  assert(number and number >= 0, 'note-lane: ARGV ' .. index .. ' must be a number of at least 0')
  return number
end
local now, results = number_of(1), number_of(2)
local noted = cjson.decode(ARGV[3])
local most_answers, stretch_ms, most_stretches, keep_ms = number_of(4), number_of(5), number_of(6), number_of(7)

local changes = {}
for endpoint, new in pairs(noted) do
  local field = 'answers:' .. endpoint
  local text = redis.call('HGET', KEYS[1], field)
  local sum = text and cjson.decode(text) or { answers = 0, tokens = 0, buckets = {} }
  sum.answers, sum.tokens = sum.answers + new.answers, sum.tokens + new.tokens
  for at, count in ipairs(new.buckets) do sum.buckets[at] = (sum.buckets[at] or 0) + count end
  while sum.answers > most_answers do
    local left = 0
    for at, count in ipairs(sum.buckets) do
      sum.buckets[at] = math.floor(count / 2)
      left = left + sum.buckets[at]
    end
    -- Odd counts lose more than half: scale the tokens so that the mean stays the same.
    sum.answers, sum.tokens = left, math.floor(sum.tokens * left / sum.answers)
  end
  changes[#changes + 1] = field
  changes[#changes + 1] = cjson.encode(sum)
end

-- Fields of 'stretch': interval number, results, reports, reports with work waiting, and whether it is whole.
local present = math.floor(now / stretch_ms)
local before = redis.call('HGET', KEYS[1], 'stretch') or ''
local at, done, looks, busy, is_whole = string.match(before, '^(%d+) (%d+) (%d+) (%d+) ([01])$')
at, done, looks, busy = tonumber(at), tonumber(done), tonumber(looks), tonumber(busy)
if at ~= present then
  local follows = at == present - 1
  if follows and is_whole == '1' and busy * 4 >= looks * 3 then
    local sums = redis.call('HGET', KEYS[1], 'reached') or ''
    local sum, stretches = string.match(sums, '^(%d+) (%d+) %d+$')
    sum, stretches = (tonumber(sum) or 0) + done, (tonumber(stretches) or 0) + 1
    if stretches > most_stretches then
      sum, stretches = math.floor(sum / 2), math.floor(stretches / 2)
    end
    changes[#changes + 1] = 'reached'
    changes[#changes + 1] = whole(sum) .. ' ' .. whole(stretches) .. ' ' .. whole(now)
  end
  done, looks, busy, is_whole = 0, 0, 0, follows and '1' or '0'
end
local waiting = redis.call('LLEN', KEYS[2]) + redis.call('LLEN', KEYS[3])
  + redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5])
changes[#changes + 1] = 'stretch'
changes[#changes + 1] = string.format('%d %d %d %d %s', present, done + results, looks + 1,
  busy + (waiting > 0 and 1 or 0), is_whole)

redis.call('HSET', KEYS[1], unpack(changes))
redis.call('PEXPIRE', KEYS[1], keep_ms)
return 'noted'
