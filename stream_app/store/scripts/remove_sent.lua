-- Removes changes that have been sent from the front of a list, as long as they are there.
--
-- KEYS[1]  unsent changes
-- ARGV     the changes that have been sent, oldest first
-- Returns  1 when all were removed, else 0.
for _, change in ipairs(ARGV) do
  if redis.call('LINDEX', KEYS[1], 0) ~= change then return 0 end
  redis.call('LPOP', KEYS[1])
end
return 1
