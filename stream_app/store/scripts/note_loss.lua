-- Notes offsets that a partition lost before they were applied, each once, with an incident.
--
-- KEYS[1]  losses
-- KEYS[2]  incidents
-- KEYS[3]  incidents by start
-- KEYS[4]  unsent changes for the topic
-- KEYS[5]  unsent changes for people
-- ARGV[1]  {field of the partition, loss: its document before the first loss, begin, end: the gap, end excluded, now: ms,
--          incident: [id, start, updated, json], incidents_kept, topic: [json…], people: [json…], messages_kept}
-- Returns  the number of offsets that were not noted before; 0 without any change.
--
-- The last gap is kept: one that is noticed again, or has grown, is the same gap. A partition that nobody has read so far
-- has lost nothing when its log does not begin at 0.
local losses, incidents, by_start, topic, people = unpack(KEYS)
local p = cmsgpack.unpack(ARGV[1])
local raw = redis.call('HGET', losses, p.field)
local loss = raw and cjson.decode(raw) or p.loss
if not raw and p.begin == 0 then loss.first = p['end'] end
local from, to = math.max(p.begin, loss.first), p['end']
local more = math.max(0, to - from)
local first = loss.records == 0
if not first and more > 0 and from <= loss['end'] and to >= loss.begin then
  more = math.max(0, loss.begin - from) + math.max(0, to - loss['end'])
  from, to = math.min(from, loss.begin), math.max(to, loss['end'])
end
if more == 0 then
  if not raw then redis.call('HSET', losses, p.field, cjson.encode(loss)) end
  return 0
end
loss.records, loss.at, loss.begin, loss['end'] = loss.records + more, p.now, from, to
if first then loss.since = p.now end
redis.call('HSET', losses, p.field, cjson.encode(loss))
put_incidents(incidents, by_start, {p.incident}, p.incidents_kept)
for _, change in ipairs(p.topic) do redis.call('RPUSH', topic, change) end
for _, change in ipairs(p.people) do redis.call('RPUSH', people, change) end
redis.call('LTRIM', people, -p.messages_kept, -1)
return more
