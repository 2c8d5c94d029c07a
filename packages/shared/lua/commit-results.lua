#!lua flags=allow-oom
--[[ Commits what a conductor has written to its segments, and forgets the results that are in them.

KEYS  1 batch  2 results  3 loose blobs
ARGV  1 epoch  2 id of the last result written  3 output segments as JSON  4 failure segments as JSON
      5 number of answers that were read from blobs, then the names of these blobs
      then counter, amount, …   what these results add to the batch's usage and cost

Returns  { 'committed' } | { 'lost' }

Atomic, so that each result is in a committed segment or in the stream and never in both, and usage is added once. ]]
--#include lib/time

local r = redis.call('HMGET', KEYS[1], 'epoch', 'committed')
if r[1] ~= ARGV[1] then return { 'lost' } end
-- Sent again by the client library because the answer was lost: what it adds has been added.
if r[2] == ARGV[2] then return { 'committed' } end
local blobs = assert(tonumber(ARGV[5]), 'commit-results: ARGV[5] must be a number of blobs')
redis.call('HSET', KEYS[1], 'committed', ARGV[2], 'output', ARGV[3], 'failures', ARGV[4])
for arg = 6, 5 + blobs do redis.call('ZADD', KEYS[3], whole(now_ms()), 'blob ' .. ARGV[arg]) end
for arg = 6 + blobs, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[arg], ARGV[arg + 1]) end
local ms, seq = string.match(ARGV[2], '^(%d+)-(%d+)$')
redis.call('XTRIM', KEYS[2], 'MINID', ms .. '-' .. whole(seq + 1))
return { 'committed' }
