#!lua flags=allow-oom
--[[ Commits what a conductor has written to its segments, and forgets the results that are in them.

KEYS  1 batch  2 results  3 loose blobs
ARGV  1 epoch  2 id of the last result written  3 output segments as JSON  4 failure segments as JSON
      5 number of answers that were read from blobs, then the names of these blobs
      then counter, amount, …   what these results add to the batch's usage and cost: whole numbers from 0 to 2^53 - 1

Returns  { 'committed' } | { 'lost' }

Atomic, so that each result is in a committed segment or in the stream and never in both, and usage is added once. All arguments
are checked before the first write: a script that fails halfway would commit the segments and keep the results, and the next
conductor would write them again. A counter stops at 2^53 - 1, the largest number that everyone reads exactly. ]]
--#include lib/time

local MAX = 9007199254740991

local function whole_number(text, name)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= MAX and number % 1 == 0, 'commit-results: ' .. name .. ' must be a whole number')
  return number
end

local ms, seq = string.match(ARGV[2], '^(%d+)-(%d+)$')
assert(ms, 'commit-results: ARGV[2] must be the id of a result')
for at = 3, 4 do
  local is_json, segments = pcall(cjson.decode, ARGV[at])
  assert(is_json and type(segments) == 'table', 'commit-results: segments must be a JSON array')
end
local first = 6 + whole_number(ARGV[5], 'the number of blobs')
assert(first <= #ARGV + 1 and (#ARGV - first) % 2 == 1, 'commit-results: blobs or amounts are missing')
local counters, amounts = {}, {}
for arg = first, #ARGV, 2 do
  counters[#counters + 1] = ARGV[arg]
  amounts[#amounts + 1] = whole_number(ARGV[arg + 1], ARGV[arg])
end

local r = redis.call('HMGET', KEYS[1], 'epoch', 'committed')
if r[1] ~= ARGV[1] then return { 'lost' } end
-- Sent again by the client library because the answer was lost: what it adds has been added.
if r[2] == ARGV[2] then return { 'committed' } end
local update = { 'committed', ARGV[2], 'output', ARGV[3], 'failures', ARGV[4] }
if #counters > 0 then
  for at, before in ipairs(redis.call('HMGET', KEYS[1], unpack(counters))) do
    update[#update + 1] = counters[at]
    update[#update + 1] = whole(math.min(MAX, (tonumber(before or '') or 0) + amounts[at]))
  end
end
redis.call('HSET', KEYS[1], unpack(update))
for arg = 6, first - 1 do redis.call('ZADD', KEYS[3], whole(now_ms()), 'blob ' .. ARGV[arg]) end
redis.call('XTRIM', KEYS[2], 'MINID', ms .. '-' .. whole(seq + 1))
return { 'committed' }
