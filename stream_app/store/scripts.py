"""The atomic scripts that change the store. Redis 6.2 and later run them; payloads are MessagePack."""

from __future__ import annotations

#: ARGV: prefix, payload {entity, applied: [field, expected], refs: [[entity, [id…]]…],
#: claims: [[rule, claim, [id…], [source…]]…]}.
#: Returns {0, applied} when another worker has moved the partition on, else {1, [missing indexes…], [duplicate indexes…]}.
#: What is found out about a key is noted until the batch is applied (hash ``decided:<partition field>``, rule|source → 0 or 1):
#: whoever judges the record again meanwhile says the same, even if the key has been taken or given back since.
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
local decided = p.applied and prefix .. ':decided:' .. p.applied[1]
local again = decided and redis.call('EXISTS', decided) == 1
for i, c in ipairs(p.claims) do
  local key, found = prefix .. ':uniq:' .. p.entity .. ':' .. c[1], {}
  local claim, ids, sources = c[2] == 1, c[3], c[4]
  for j = 1, #ids do
    local note = c[1] .. '|' .. sources[j]
    local known = again and redis.call('HGET', decided, note)
    if known then
      if known == '1' then found[#found + 1] = j - 1 end
    elseif not claim or redis.call('HSETNX', key, ids[j], sources[j]) == 0 then
      local holder = redis.call('HGET', key, ids[j])
      local taken = holder and holder ~= sources[j]
      if taken then found[#found + 1] = j - 1 end
      if decided and (taken or not claim) then redis.call('HSET', decided, note, taken and '1' or '0') end
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
  local decided = prefix .. ':decided:' .. p.applied[1]
  for _, note in ipairs(redis.call('HKEYS', decided)) do
    if tonumber(string.match(note, '(%d+)$')) <= p.applied[3] then redis.call('HDEL', decided, note) end
  end
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

#: ARGV: prefix, payload {entity, records: [[waiting field, partition field, offset, [[entity, id]…], grace is over: 0|1]…]}.
#: Decides about waiting records, durably, before anything is sent. Per record {state, index of a missing reference…}:
#: 0 gone, 1 still waits (or is not counted as waiting yet), 2 all references known, 3 rejected for the references given.
DECIDE = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local waiting, out = prefix .. ':waiting:' .. p.entity, {}
for i, r in ipairs(p.records) do
  local text = redis.call('HGET', waiting, r[1])
  if not text then
    local applied = tonumber(redis.call('HGET', prefix .. ':applied', r[2]) or '-1')
    out[i] = {applied >= r[3] and 0 or 1}
  else
    local state = cjson.decode(text)
    if state.decision ~= 'rejected' then
      local missing = {}
      for j, ref in ipairs(r[4]) do
        if redis.call('HEXISTS', prefix .. ':ref:' .. ref[1], ref[2]) == 0 then missing[#missing + 1] = j - 1 end
      end
      if #missing == 0 then out[i] = {2}
      elseif r[5] == 0 then out[i] = {1}
      else
        state.decision, state.missing = 'rejected', missing
        redis.call('HSET', waiting, r[1], cjson.encode(state))
      end
    end
    if not out[i] then out[i] = {3, unpack(state.missing)} end
  end
end
return out
"""
