#!lua flags=no-writes,allow-oom
--[[ How full the Redis that runs this is.

Returns  { used, maxmemory, admission line }   in bytes; maxmemory is 0 for no limit. Above the line new work is refused ]]
--#include lib/memory
return memory_in_bytes()
