-- How full this Redis is. Needs no other library.

-- The part of maxmemory that only accepted work may use: a tenth, at least 8 MB, at most half.
local RESERVE = { share = 0.1, least_bytes = 8000000, most_share = 0.5 }

-- { used, maxmemory, admission limit } in bytes; maxmemory is 0 for no limit. Counts as Redis does before it refuses: without the
-- buffers of replicas and of the append-only file. If a managed Redis refuses INFO, all three are 0 and only Redis' own limit holds.
local function memory_in_bytes()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return { 0, 0, 0 } end
  -- A plain-text search: an unanchored pattern is tried at thousands of positions, which takes longer than INFO itself.
  local function read(name)
    local _, last = string.find(info, '\n' .. name .. ':', 1, true)
    return last and tonumber(string.match(info, '^%d+', last + 1)) or 0
  end
  local limit = read('maxmemory')
  local reserve = math.min(math.max(RESERVE.share * limit, RESERVE.least_bytes), RESERVE.most_share * limit)
  return { read('used_memory') - read('mem_not_counted_for_evict'), limit, limit - math.floor(reserve) }
end

-- Whether memory use has reached the reserve, so that new work is refused.
local function is_reserve_touched()
  local memory = memory_in_bytes()
  return memory[2] > 0 and memory[1] > memory[3]
end

-- Begins with OOM like Redis' own refusal, so that callers recognise both in the same way.
local REFUSAL = 'OOM the remaining memory is reserved for accepted work'
