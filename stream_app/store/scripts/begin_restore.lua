-- Opens a new epoch: every worker verifies the store, and restores its partitions, before it judges on.
--
-- KEYS[1]  the store as a whole
-- KEYS[2]  partitions that are level
-- KEYS[3]  partitions that are being restored
-- ARGV     expected epoch (empty: none), new epoch, state, server, owner, reason, since (ms)
-- Returns  1, or 0 without any change when the epoch is another one.
local store, restored, restoring = unpack(KEYS)
local expected, epoch, state, server, owner, reason, since = unpack(ARGV)
if (redis.call('HGET', store, 'epoch') or '') ~= expected then return 0 end
redis.call('HSET', store, 'epoch', epoch, 'state', state, 'server', server, 'owner', owner, 'reason', reason, 'since', since)
redis.call('HSETNX', store, 'serial', '0')
redis.call('DEL', restored, restoring)
return 1
