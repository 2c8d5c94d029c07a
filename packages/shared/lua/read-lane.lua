#!lua flags=no-writes,allow-oom
--[[ KEYS  1 lane state.  Returns the lane's state, see lib/lane. ]]
--#include lib/time
--#include lib/lane
return lane_state(KEYS[1], now_ms())
