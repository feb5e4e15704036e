-- Functions of the scripts that write incidents: each of those begins with this file.

-- Returns when an incident was last changed, as it is stored; nil if it is not.
local function stored_update(incidents, id)
  local raw = redis.call('HGET', incidents, id)
  if not raw then return nil end
  local readable, incident = pcall(cjson.decode, raw)
  return readable and type(incident) == 'table' and tonumber(incident.updated) or -math.huge
end

-- Stores incidents, rows of [id, start, updated, json], each unless a newer version of it is stored; the newest `kept` stay.
local function put_incidents(incidents, by_start, rows, kept)
  for _, row in ipairs(rows) do
    local id, start, updated, json = unpack(row)
    if (stored_update(incidents, id) or -math.huge) <= updated then
      redis.call('HSET', incidents, id, json)
      redis.call('ZADD', by_start, start, id)
    end
  end
  while redis.call('ZCARD', by_start) > kept do
    redis.call('HDEL', incidents, redis.call('ZPOPMIN', by_start)[1])
  end
end
