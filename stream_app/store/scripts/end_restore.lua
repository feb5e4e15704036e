-- Notes that some partitions are level with the log; when all are, the store is ready.
--
-- KEYS[1]  the store as a whole
-- KEYS[2]  partitions that are level
-- KEYS[3]  partitions that are being restored
-- ARGV[1]  epoch
-- ARGV[2]  number of partitions that are level; 0: the store has been emptied, and is to be restored
-- ARGV[3…] their fields, then those of all partitions of the shop
-- Returns  the state; empty without any change when the epoch is another one.
local store, restored, restoring = unpack(KEYS)
if redis.call('HGET', store, 'epoch') ~= ARGV[1] then return '' end
local own, state = tonumber(ARGV[2]), redis.call('HGET', store, 'state')
if own == 0 then
  if state == 'emptying' then redis.call('HSET', store, 'state', 'restoring') end
  return 'restoring'
end
for i = 3, own + 2 do
  redis.call('HSET', restored, ARGV[i], '1')
  redis.call('HDEL', restoring, ARGV[i])
end
if state ~= 'restoring' then return state end
for i = own + 3, #ARGV do
  if redis.call('HEXISTS', restored, ARGV[i]) == 0 then return state end
end
redis.call('HSET', store, 'state', 'ready')
return 'ready'
