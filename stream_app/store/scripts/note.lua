-- Notes what the rules over other records found in a batch, up to an offset, before anything is sent.
--
-- KEYS[1]  applied offsets
-- KEYS[2]  look-up notes of the partition
-- ARGV[1]  {applied: [field, expected position], seen, upto, notes}; `seen`: up to which offset there were notes when the
--          batch was looked up
-- Returns  {0, position} when another worker has moved the partition on, or noted something meanwhile, else {1}.
local applied, notes = KEYS[1], KEYS[2]
local p = cmsgpack.unpack(ARGV[1])
local now = redis.call('HGET', applied, p.applied[1])
if (now or '-1 0 0 0 0') ~= p.applied[2] then return {0, now or '-1 0 0 0 0'} end
if (redis.call('HGET', notes, 'upto') or '-1') ~= tostring(p.seen) then return {0, now or '-1 0 0 0 0'} end
redis.call('HSET', notes, 'upto', p.upto, 'notes', p.notes)
return {1}
