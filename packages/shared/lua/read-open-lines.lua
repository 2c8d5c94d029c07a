#!lua flags=no-writes,allow-oom
--[[ Reads the state of a batch's open lines: their lanes, and which are in progress. Returns early for a batch that progresses, so
that following it costs next to nothing.

KEYS  1 results  2 window
ARGV  1 ms after a result during which a batch counts as progressing  2 most lines to read  3 prefix of the keys of line records

Returns  { now, '1' if it progresses or '', then for each group of lines:
           lane, 'called' | 'queued' | 'backoff', count, earliest retry or '', message of that line's last attempt or '' }

If there are more lines, it reads a random sample. ]]
--#include lib/time

local now = now_ms()
local moves_ms, most = tonumber(ARGV[1]), tonumber(ARGV[2])
-- The stream keeps its last id when it is empty. Before the first result there is no stream.
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
