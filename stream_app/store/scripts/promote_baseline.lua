-- Puts a new baseline in force, unless another worker has done so meanwhile.
--
-- KEYS[1]  baseline
-- ARGV[1]  {expected version, version, document, learned, week}
-- Returns  1, or 0 without any change.
local baseline = KEYS[1]
local p = cmsgpack.unpack(ARGV[1])
if (redis.call('HGET', baseline, 'version') or '0') ~= tostring(p.expected) then return 0 end
redis.call('HSET', baseline, 'version', p.version, 'document', p.document, 'from', p.learned, 'week', p.week)
return 1
