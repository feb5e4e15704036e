-- Takes keys away, while the store is being emptied.
--
-- KEYS[1]  the store as a whole
-- KEYS[2…] the keys
-- ARGV[1]  epoch
-- Returns  1, or 0 without any change when the store is not being emptied in this epoch.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'state')
if known[1] ~= ARGV[1] or known[2] ~= 'emptying' then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
return 1
