#!lua flags=no-writes,allow-oom
--[[ How fast a tenant's results of a lane come at present.

KEYS  1 paces
ARGV  1 lane

Returns  results in a second; 0 when there were none lately ]]
--#include lib/time
--#include lib/pace

return pace_of(KEYS[1], ARGV[1], now_ms())
