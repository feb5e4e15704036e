-- Notes that some partitions are level with the log; when all are, the store is ready.
--
-- KEYS[1]  the store as a whole
-- KEYS[2]  partitions that are level
-- KEYS[3]  partitions that are being restored
-- ARGV[1]  epoch
-- ARGV[2]  number of all partitions; 0: the store has been emptied, and is to be restored
-- ARGV[3…] fields of the partitions that are level
-- Returns  the state; empty without any change when the epoch is another one.
local store, restored, restoring = unpack(KEYS)
if redis.call('HGET', store, 'epoch') ~= ARGV[1] then return '' end
for i = 3, #ARGV do
  redis.call('HSET', restored, ARGV[i], '1')
  redis.call('HDEL', restoring, ARGV[i])
end
local state, partitions = redis.call('HGET', store, 'state'), tonumber(ARGV[2])
if partitions == 0 then
  if state == 'emptying' then redis.call('HSET', store, 'state', 'restoring') end
elseif state == 'restoring' and redis.call('HLEN', restored) >= partitions then
  redis.call('HSET', store, 'state', 'ready')
end
return redis.call('HGET', store, 'state')
