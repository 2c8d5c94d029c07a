#!lua flags=no-writes,allow-oom
--[[ Where the open lines of a batch stand: which lanes they are in, and which are called. A batch that moves is not looked at
closer, so that following one costs next to nothing.

KEYS  1 results  2 window
ARGV  1 a batch moves for so many ms after a result  2 most lines to look at  3 what the key of a line's record begins with

Returns  { now, '1' if it moves or '', then for each group of lines:
           lane, 'called' | 'queued' | 'backoff', how many, earliest retry or '', what the last attempt of one of them said or '' }

Lines are picked at random when there are more. ]]
--#include lib/time

local now = now_ms()
local moves_ms, most = tonumber(ARGV[1]), tonumber(ARGV[2])
-- The stream remembers its last id also when it is empty. There is no stream before the first result.
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if not info.err then
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then
      local last = tonumber(string.match(info[at + 1], '^(%d+)-'))
      if last > now - moves_ms then return { whole(now), '1' } end
    end
  end
end
local groups, order = {}, {}
for _, id in ipairs(redis.call('SRANDMEMBER', KEYS[2], most)) do
  local r = redis.call('HMGET', ARGV[3] .. id, 'lane', 'status', 'retry_at', 'wait_message')
  if r[1] then
    local retry = tonumber(r[3])
    local state = r[2] == 'in_progress' and 'called' or (retry and retry > now and 'backoff' or 'queued')
    local name = r[1] .. ' ' .. state
    local group = groups[name]
    if not group then
      group = { r[1], state, 0, retry, r[4] or '' }
      groups[name] = group
      order[#order + 1] = group
    end
    group[3] = group[3] + 1
    if state == 'backoff' and retry < group[4] then
      group[4], group[5] = retry, r[4] or ''
    end
  end
end
local reply = { whole(now), '' }
for _, group in ipairs(order) do
  reply[#reply + 1] = group[1]
  reply[#reply + 1] = group[2]
  reply[#reply + 1] = whole(group[3])
  reply[#reply + 1] = group[2] == 'backoff' and whole(group[4]) or ''
  reply[#reply + 1] = group[2] == 'backoff' and group[5] or ''
end
return reply
