-- Releases a claim, unless it has lapsed and is another's now.
--
-- KEYS[1]  claim
-- ARGV[1]  token
-- Returns  1 when it was released, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
