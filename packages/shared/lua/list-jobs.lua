#!lua flags=no-writes,allow-oom
--[[ One page of a tenant's job ids, newest first.

KEYS  1 index: the jobs index, or the unsuccessful index
ARGV  1 the member to start after, or ''  2 most members  3 lowest score, or ''

Returns  { 'unknown_cursor' }, or { 'page', member, … }

By rank and not by score: two jobs of one millisecond are neither skipped nor shown twice. ]]
local from = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not rank then return { 'unknown_cursor' } end
  from = rank + 1
end
local page = { 'page' }
local lowest = tonumber(ARGV[3])
local members = redis.call('ZREVRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1, 'WITHSCORES')
for i = 1, #members, 2 do
  if lowest and tonumber(members[i + 1]) < lowest then break end
  page[#page + 1] = members[i]
end
return page
