-- Begins every script of a worker: refuses when the store is not the one that the worker has verified.
--
-- KEYS[#KEYS]      the store as a whole
-- ARGV[#ARGV - 2]  the epoch that the worker has verified
-- ARGV[#ARGV - 1]  the highest serial that the worker has seen
-- ARGV[#ARGV]      1 where the call restores, which is allowed while others wait, else 0
-- Returns          {-1, 'epoch'} when the store is empty, another one, or has been restored since; {-1, 'serial'} when it has
--                  lost writes that the worker has seen; {-1, 'restoring'} while it is not complete; all without any change.
local store = KEYS[#KEYS]
local known = redis.call('HMGET', store, 'epoch', 'serial', 'state')
if (known[1] or '') ~= ARGV[#ARGV - 2] then return {-1, 'epoch'} end
if tonumber(known[2] or '0') < tonumber(ARGV[#ARGV - 1]) then return {-1, 'serial'} end
if known[1] and known[3] ~= 'ready' and ARGV[#ARGV] ~= '1' then return {-1, 'restoring'} end

