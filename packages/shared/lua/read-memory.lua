#!lua flags=no-writes,allow-oom
--[[ Reads how full this Redis is.

Returns  { used, maxmemory, admission limit } in bytes; maxmemory is 0 for no limit. Above the admission limit new work is refused. ]]
--#include lib/memory
return memory_in_bytes()
