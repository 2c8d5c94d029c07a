#!lua flags=no-writes,allow-oom
--[[ Looks through a stretch of a tenant's files.

KEYS  1 files
ARGV  1 the id to start after, or ''  2 how many to look at  3 'asc' or 'desc'  4 purpose or ''
      5 what a record's key begins with  6 most matches  7… the fields to read; the first is id, the second purpose

Returns  { 'unknown_cursor' }
         { 'page', last, over, fields, … }   last: the id to go on after; over: '1' when there is no more to look at

By rank and not by score: two files of one millisecond are neither skipped nor shown twice. The records are in the
index's slot. ]]
local is_rising = ARGV[3] == 'asc'
local from = 0
if ARGV[1] ~= '' then
  local rank = redis.call(is_rising and 'ZRANK' or 'ZREVRANK', KEYS[1], ARGV[1])
  if not rank then return { 'unknown_cursor' } end
  from = rank + 1
end
local count, purpose, most = tonumber(ARGV[2]), ARGV[4], tonumber(ARGV[6])
local ids = redis.call(is_rising and 'ZRANGE' or 'ZREVRANGE', KEYS[1], from, from + count - 1)
local page = { 'page', '', #ids < count and '1' or '0' }
for i, id in ipairs(ids) do
  page[2] = id
  local r = redis.call('HMGET', ARGV[5] .. id, unpack(ARGV, 7))
  if r[1] and (purpose == '' or r[2] == purpose) then
    page[#page + 1] = r
    if #page - 3 >= most then
      if i < #ids then page[3] = '0' end
      break
    end
  end
end
return page
