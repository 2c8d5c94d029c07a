-- Helpers over uploads. Needs lib/time.

-- An upload is settled: its parts are of no use any more.
local function loosen_parts(upload, loose, now)
  local fields = redis.call('HGETALL', upload)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 5) == 'part:' then
      redis.call('ZADD', loose, whole(now), 'blob ' .. string.match(fields[i + 1], '(%S+)$'))
    end
  end
end
