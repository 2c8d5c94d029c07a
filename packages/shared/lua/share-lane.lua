#!lua flags=allow-oom
--[[ Gives deliveries their places in a lane's queue, so that tenants share it fairly: start-time fair queueing in tokens.

KEYS  1 shares (hash: flow → virtual time up to which it has been served)  2 the queue's BullMQ set of prioritised jobs
ARGV  1… flow, cost, flow, cost, …   cost: above 0, in thousands of tokens over the flow's weight

Returns  { place, … }   BullMQ priorities, from 1 to 2,097,151; the lowest is taken first

Virtual time is the place at the head of the queue. A flow that was idle comes back at the present virtual time, neither
ahead of nor behind those that were busy. An empty queue begins anew at 0. Behind the last place it is first come, first
served, until the queue is empty again. ]]

-- BullMQ's score: priority × 2^32 + a counter.
local SCORE = 4294967296
local LAST = 2097151
local MOST_FLOWS = 1000

local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local now = 0
if head[1] then
  now = math.max(0, math.floor(tonumber(head[2]) / SCORE) - 1)
else
  redis.call('DEL', KEYS[1])
end
if redis.call('HLEN', KEYS[1]) > MOST_FLOWS then
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    if tonumber(all[at + 1]) <= now then redis.call('HDEL', KEYS[1], all[at]) end
  end
end

local served, places = {}, {}
for at = 1, #ARGV, 2 do
  local flow = ARGV[at]
  local start = math.max(now, served[flow] or tonumber(redis.call('HGET', KEYS[1], flow) or '0'))
  served[flow] = start + tonumber(ARGV[at + 1])
  places[#places + 1] = math.min(LAST, 1 + math.floor(start))
end
for flow, until_time in pairs(served) do
  redis.call('HSET', KEYS[1], flow, string.format('%.3f', until_time))
end
return places
