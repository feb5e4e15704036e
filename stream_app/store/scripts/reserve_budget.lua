-- Reserves tokens and cost of a day's budget, or refuses.
--
-- KEYS[1]  spent on the day
-- ARGV[1]  {tokens, cost, most_tokens, most_cost (negative: unlimited), kept (seconds)}
-- Returns  1 when they were reserved, 0 when the budget does not suffice.
local spent = KEYS[1]
local p = cmsgpack.unpack(ARGV[1])
local tokens = tonumber(redis.call('HGET', spent, 'tokens') or '0') + p.tokens
local cost = tonumber(redis.call('HGET', spent, 'cost') or '0') + p.cost
if tokens > p.most_tokens or (p.most_cost >= 0 and cost > p.most_cost) then return 0 end
redis.call('HINCRBY', spent, 'tokens', p.tokens)
redis.call('HINCRBY', spent, 'cost', p.cost)
redis.call('EXPIRE', spent, p.kept)
return 1
