-- Commits what the monitor made of some windows: its state, the incidents, and the changes that are to be sent.
--
-- KEYS[1]  monitor of the entity and grain
-- KEYS[2]  incidents
-- KEYS[3]  incidents by start
-- KEYS[4]  unsent changes for the topic
-- KEYS[5]  unsent changes for people
-- ARGV[1]  {before, after, state, incidents: [[id, start, json]…], incidents_kept, topic: [json…], people: [json…],
--          messages_kept}; `before` and `after`: the last window looked at, as text, empty before the first
-- Returns  1, or 0 without any change when the last window looked at is not `before` any more.
local monitor, incidents, by_start, topic, people = unpack(KEYS)
local p = cmsgpack.unpack(ARGV[1])
if (redis.call('HGET', monitor, 'at') or '') ~= p.before then return 0 end
redis.call('HSET', monitor, 'at', p.after, 'state', p.state)
for _, i in ipairs(p.incidents) do
  redis.call('HSET', incidents, i[1], i[3])
  redis.call('ZADD', by_start, i[2], i[1])
end
while redis.call('ZCARD', by_start) > p.incidents_kept do
  redis.call('HDEL', incidents, redis.call('ZPOPMIN', by_start)[1])
end
for _, change in ipairs(p.topic) do redis.call('RPUSH', topic, change) end
for _, change in ipairs(p.people) do redis.call('RPUSH', people, change) end
redis.call('LTRIM', people, -p.messages_kept, -1)
return 1
