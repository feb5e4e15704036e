-- Commits what the monitor made of some windows: its state, the incidents, and the changes that are to be sent.
--
-- KEYS[1]  monitor of the entity and grain
-- KEYS[2]  incidents
-- KEYS[3]  incidents by start
-- KEYS[4]  unsent changes for the topic
-- KEYS[5]  unsent changes for people
-- ARGV[1]  {before, epoch, after, state, incidents: [[id, start, updated, json]…], incidents_kept, topic: changes,
--          people: changes, messages_kept}; `before` and `after`: the last window looked at, as text, empty before the first;
--          `epoch`: of the store, as text, 0 where it has none; changes: [[id, updated, json]…]
-- Returns  1, or 0 without any change when the last window looked at is not `before` any more, or the epoch is another one.
--
-- After the store has lost its contents, the monitor steps through windows again of which it has `announced` the changes: of
-- an incident that the topic has, a change is sent if it is newer than there; of another, if it is not older than `announced`.
local monitor, incidents, by_start, topic, people = unpack(KEYS)
local p = cmsgpack.unpack(ARGV[1])
local at, epoch, announced = unpack(redis.call('HMGET', monitor, 'at', 'epoch', 'announced'))
if (at or '') ~= p.before or (epoch or '0') ~= p.epoch then return 0 end
announced = tonumber(announced or 0)
local function news(changes)
  local found = {}
  for _, change in ipairs(changes) do
    local id, updated, json = unpack(change)
    local known = updated <= announced and (stored_update(incidents, id) or announced - 1)
    if not known or updated > known then table.insert(found, json) end
  end
  return found
end
local for_topic, for_people = news(p.topic), news(p.people)
redis.call('HSET', monitor, 'at', p.after, 'state', p.state)
put_incidents(incidents, by_start, p.incidents, p.incidents_kept)
for _, change in ipairs(for_topic) do redis.call('RPUSH', topic, change) end
for _, change in ipairs(for_people) do redis.call('RPUSH', people, change) end
redis.call('LTRIM', people, -p.messages_kept, -1)
return 1
