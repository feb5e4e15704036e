-- Puts incidents back that a store has lost, and notes for each monitor up to when changes were announced before.
--
-- KEYS[1]  the store as a whole
-- KEYS[2]  incidents
-- KEYS[3]  incidents by start
-- KEYS[4…] monitors of the entities, of one grain
-- ARGV[1]  {epoch: as text, incidents: [[id, start, updated, json]…], incidents_kept, announced: [s…], one per monitor}
-- Returns  1, or 0 without any change when the store is in another epoch, or not ready.
local p = cmsgpack.unpack(ARGV[1])
local known = redis.call('HMGET', KEYS[1], 'epoch', 'state')
if known[1] ~= p.epoch or known[2] ~= 'ready' then return 0 end
put_incidents(KEYS[2], KEYS[3], p.incidents, p.incidents_kept)
for i, announced in ipairs(p.announced) do redis.call('HSET', KEYS[3 + i], 'epoch', p.epoch, 'announced', announced) end
return 1
