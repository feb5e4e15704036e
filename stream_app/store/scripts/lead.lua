-- Takes or renews a lease.
--
-- KEYS[1]  lease
-- ARGV[1]  owner
-- ARGV[2]  milliseconds
-- Returns  1 when the lease is the owner's now, 0 when it is another's.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
