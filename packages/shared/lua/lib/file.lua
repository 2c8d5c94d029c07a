-- Helpers over file records. Needs lib/time.

-- A file's record and its places in the indexes. keys: { record, files, expiring files }. file: { id, tenant, filename,
-- purpose, bytes, content }, all text. expires_after: ms, or ''. Returns created_at and expires_at ('' for none), as text.
local function store_file(keys, file, expires_after, now)
  local at = whole(now)
  local expires_at = expires_after ~= '' and whole(now + tonumber(expires_after)) or ''
  redis.call('HSET', keys[1], 'id', file.id, 'tenant', file.tenant, 'filename', file.filename, 'purpose', file.purpose,
    'bytes', file.bytes, 'created_at', at, 'expires_at', expires_at, 'content', file.content, 'uses', '0')
  redis.call('ZADD', keys[2], at, file.id)
  if expires_at ~= '' then redis.call('ZADD', keys[3], expires_at, file.id) end
  return at, expires_at
end

-- Takes a file's record away; what it held in the blob store is anyone's to remove from now on.
-- keys: { record, files, expiring files, loose blobs }.
local function drop_file(keys, id, content, now)
  local held = cjson.decode(content)
  local at = whole(now)
  if held.kind == 'blob' then
    redis.call('ZADD', keys[4], at, 'blob ' .. held.name)
  else
    for _, segment in ipairs(held.segments) do
      redis.call('ZADD', keys[4], at, 'segment ' .. segment.name)
    end
  end
  redis.call('DEL', keys[1])
  redis.call('ZREM', keys[2], id)
  redis.call('ZREM', keys[3], id)
end

-- Whether a blob that was announced is still held for its writer: once its time is up it may be gone at any moment.
local function is_held(loose, blob, now)
  local until_ms = redis.call('ZSCORE', loose, 'blob ' .. blob)
  return until_ms and tonumber(until_ms) > now
end
