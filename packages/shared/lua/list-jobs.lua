#!lua flags=no-writes,allow-oom
--[[ Looks through a stretch of a tenant's jobs, newest first, for those that match.

KEYS  1 index: the jobs index, or the unsuccessful index
ARGV  1 the member to start after, or ''  2 how many members to look at  3 lowest score, or ''
      4 what a record's key begins with  5 status or ''  6 model or ''  7 metadata (JSON object) or ''
      8 most matches

Returns  { 'unknown_cursor' }
         { 'page', last, over, id, bytes, … }  last: the member to go on after; over: '1' when there is no more to
                                               look at; bytes: the length of the answer

By rank and not by score: two jobs of one millisecond are neither skipped nor shown twice. A stretch is short, so
that a rare match in a long index holds nobody up; the caller comes again. The records are in the index's slot. ]]
local from = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not rank then return { 'unknown_cursor' } end
  from = rank + 1
end
local status, model = ARGV[5], ARGV[6]
local metadata = ARGV[7] ~= '' and cjson.decode(ARGV[7]) or nil
local lowest = tonumber(ARGV[3])
local count, most = tonumber(ARGV[2]), tonumber(ARGV[8])

local function has_metadata(text)
  if not text then return false end
  local own = cjson.decode(text)
  for key, value in pairs(metadata) do
    if own[key] ~= value then return false end
  end
  return true
end

local members = redis.call('ZREVRANGE', KEYS[1], from, from + count - 1, 'WITHSCORES')
local page = { 'page', '', #members < count * 2 and '1' or '0' }
for i = 1, #members, 2 do
  local member = members[i]
  if lowest and tonumber(members[i + 1]) <= lowest then
    page[3] = '1'
    break
  end
  page[2] = member
  local id = string.match(member, '(%S+)$')
  local record = ARGV[4] .. id
  local r = redis.call('HMGET', record, 'status', 'model', 'metadata')
  if r[1] and (status == '' or r[1] == status) and (model == '' or r[2] == model)
    and (not metadata or has_metadata(r[3])) then
    page[#page + 1] = id
    local in_blob = redis.call('HGET', record, 'response_bytes')
    page[#page + 1] = in_blob and tonumber(in_blob) or redis.call('HSTRLEN', record, 'response_body')
    if (#page - 3) / 2 >= most then
      if i + 2 <= #members then page[3] = '0' end
      break
    end
  end
end
return page
