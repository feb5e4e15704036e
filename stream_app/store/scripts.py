"""The atomic scripts that change the store. Redis 6.2 and later run them; payloads are MessagePack."""

from __future__ import annotations

#: ARGV: prefix, payload {entity, applied: [field, expected], refs: [[entity, [id…]]…],
#: claims: [[rule, claim, [id…], [source…]]…]}.
#: Returns {0, applied} when another worker has moved the partition on, else {1, [missing indexes…], [duplicate indexes…]}.
LOOK_UP = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
if p.applied then
  local now = redis.call('HGET', prefix .. ':applied', p.applied[1])
  if (now or '-1') ~= tostring(p.applied[2]) then return {0, now or '-1'} end
end
local missing, duplicates = {}, {}
for i, ref in ipairs(p.refs) do
  local key, found = prefix .. ':ref:' .. ref[1], {}
  for j, id in ipairs(ref[2]) do
    if redis.call('HEXISTS', key, id) == 0 then found[#found + 1] = j - 1 end
  end
  missing[i] = found
end
for i, c in ipairs(p.claims) do
  local key, found = prefix .. ':uniq:' .. p.entity .. ':' .. c[1], {}
  local claim, ids, sources = c[2] == 1, c[3], c[4]
  for j = 1, #ids do
    if not claim or redis.call('HSETNX', key, ids[j], sources[j]) == 0 then
      local holder = redis.call('HGET', key, ids[j])
      if holder and holder ~= sources[j] then found[#found + 1] = j - 1 end
    end
  end
  duplicates[i] = found
end
return {1, missing, duplicates}
"""

#: ARGV: prefix, payload (see ``Changes.payload``). Applies a batch once.
#: Returns {0, applied} or {0, [settled already…]} without any change, or {1}.
APPLY = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local entity = p.entity
local waiting = prefix .. ':waiting:' .. entity
if p.applied then
  local now = redis.call('HGET', prefix .. ':applied', p.applied[1])
  if (now or '-1') ~= tostring(p.applied[2]) then return {0, now or '-1'} end
  redis.call('HSET', prefix .. ':applied', p.applied[1], p.applied[3])
end
if p.settle then
  local gone = {}
  for _, field in ipairs(p.settle) do
    if redis.call('HEXISTS', waiting, field) == 0 then gone[#gone + 1] = field end
  end
  if #gone > 0 then return {0, gone} end
  for _, field in ipairs(p.settle) do redis.call('HDEL', waiting, field) end
end
for _, w in ipairs(p.wait) do redis.call('HSET', waiting, w[1], w[2]) end
local total = prefix .. ':total:' .. entity
for k, n in pairs(p.totals) do redis.call('HINCRBY', total, k, n) end
local known = {}
local function capped(k)
  local field, what, value = string.match(k, '^s|([^|]*)|([^|]*)|(.*)$')
  if not field or value == '(none)' then return k end
  local id = field .. '|' .. value
  if known[id] == nil then
    local set = prefix .. ':seg:' .. entity .. ':' .. field
    if redis.call('SISMEMBER', set, value) == 1 then known[id] = true
    elseif redis.call('SCARD', set) < p.segments then
      redis.call('SADD', set, value)
      known[id] = true
    else known[id] = false end
  end
  if known[id] then return k end
  return 's|' .. field .. '|' .. what .. '|(other)'
end
for _, w in ipairs(p.windows) do
  local grain, start, kept = w[1], w[2], p.kept[w[1]]
  local index = prefix .. ':wins:' .. entity .. ':' .. grain
  local oldest = false
  if redis.call('ZADD', index, 'NX', start, start) == 1 and redis.call('ZCARD', index) > kept then
    oldest = redis.call('ZPOPMIN', index)[1]
    redis.call('UNLINK', prefix .. ':win:' .. entity .. ':' .. grain .. ':' .. oldest,
      prefix .. ':hll:' .. entity .. ':customers:' .. grain .. ':' .. oldest,
      prefix .. ':hll:' .. entity .. ':orders:' .. grain .. ':' .. oldest)
  end
  if oldest ~= tostring(start) then
    local key = prefix .. ':win:' .. entity .. ':' .. grain .. ':' .. start
    for k, n in pairs(w[3]) do redis.call('HINCRBY', key, capped(k), n) end
  end
end
local function each(command, key, ids)
  for i = 1, #ids, 4000 do redis.call(command, key, unpack(ids, i, math.min(i + 3999, #ids))) end
end
for _, s in ipairs(p.sketches) do
  if redis.call('ZSCORE', prefix .. ':wins:' .. entity .. ':' .. s[2], s[3]) then
    each('PFADD', prefix .. ':hll:' .. entity .. ':' .. s[1] .. ':' .. s[2] .. ':' .. s[3], s[4])
  end
end
for _, s in ipairs(p.sets) do each('SADD', prefix .. ':set:' .. entity .. ':' .. s[1], s[2]) end
for _, id in ipairs(p.refs) do redis.call('HSET', prefix .. ':ref:' .. entity, id, '1') end
for _, r in ipairs(p.release) do
  local key = prefix .. ':uniq:' .. entity .. ':' .. r[1]
  if redis.call('HGET', key, r[2]) == r[3] then redis.call('HDEL', key, r[2]) end
end
if #p.findings > 0 then
  each('LPUSH', prefix .. ':findings', p.findings)
  redis.call('LTRIM', prefix .. ':findings', 0, p.findings_kept - 1)
end
if #p.clean > 0 then
  each('LPUSH', prefix .. ':clean:' .. entity, p.clean)
  redis.call('LTRIM', prefix .. ':clean:' .. entity, 0, p.clean_kept - 1)
end
local stream = tonumber(redis.call('HGET', total, 'et') or '0')
if p.et > stream then redis.call('HSET', total, 'et', string.format('%.0f', p.et)) end
redis.call('HSET', total, 'at', string.format('%.0f', p.at))
return {1}
"""

#: ARGV: prefix, payload {entity, records: [[waiting field, rejected JSON, [[entity, id]…]]…], reject: 0|1}.
#: Decides about waiting records, durably, before anything is sent: 0 gone, 1 still waits, 2 all references known, 3 rejected.
DECIDE = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local waiting, out = prefix .. ':waiting:' .. p.entity, {}
for i, r in ipairs(p.records) do
  local state = redis.call('HGET', waiting, r[1])
  if not state then out[i] = 0
  elseif string.find(state, 'rejected', 1, true) then out[i] = 3
  else
    out[i] = 2
    for _, ref in ipairs(r[3]) do
      if redis.call('HEXISTS', prefix .. ':ref:' .. ref[1], ref[2]) == 0 then out[i] = 1 end
    end
    if out[i] == 1 and r[4] == 1 then
      redis.call('HSET', waiting, r[1], r[2])
      out[i] = 3
    end
  end
end
return out
"""
