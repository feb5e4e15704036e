"""The atomic scripts that change the store. Redis 6.2 and later run them; payloads are MessagePack."""

from __future__ import annotations

from typing import Any

import msgpack


def pack(value: Any) -> bytes:
    """MessagePack as Redis' own decoder reads it: no bin types."""
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


#: ARGV: prefix, payload {entity, applied: [field, expected], refs: [[entity, [id…], values wanted: 0|1]…],
#: claims: [[rule, claim: 0|1, [id…], [holder…], distinct: 0|1]…]}; a holder is ``source`` or ``source fingerprint``, and
#: ``distinct`` says that no id occurs twice.
#: Returns {0, applied} when another worker has moved the partition on, else
#: {1, [missing indexes…], [[duplicate index + 1, negative where the contents differ…]…], [[value…]…], upto, notes}.
#: What is found out about a key is noted until the batch is applied (hash ``decided:<partition field>``, rule|source →
#: 0, 1 or 2): whoever judges the record again meanwhile says the same, even if the key has been taken or given back since.
#: ``upto`` and the notes are what NOTE wrote.
LOOK_UP = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
if p.applied then
  local now = redis.call('HGET', prefix .. ':applied', p.applied[1])
  if (now or '-1') ~= tostring(p.applied[2]) then return {0, now or '-1'} end
end
local function many(key, ids, each)
  for i = 1, #ids, 1000 do
    local last = math.min(i + 999, #ids)
    local got = redis.call('HMGET', key, unpack(ids, i, last))
    for j = i, last do each(j, got[j - i + 1]) end
  end
end
local missing, duplicates, values = {}, {}, {}
for i, ref in ipairs(p.refs) do
  local found, held, wanted = {}, {}, ref[3] == 1
  many(prefix .. ':ref:' .. ref[1], ref[2], function(j, value)
    if not value then found[#found + 1] = j - 1 end
    if wanted then held[j] = value or '' end
  end)
  missing[i], values[i] = found, held
end
local decided = p.applied and prefix .. ':decided:' .. p.applied[1]
local again = decided and redis.call('EXISTS', decided) == 1
local function source(holder) return string.match(holder, '^[^ ]+') end
for i, c in ipairs(p.claims) do
  local key, found, here = prefix .. ':uniq:' .. p.entity .. ':' .. c[1], {}, {}
  local claim, ids, holders, distinct = c[2] == 1, c[3], c[4], c[5] == 1
  local function compare(j, holder)
    local own = holders[j]
    local known = again and redis.call('HGET', decided, c[1] .. '|' .. source(own))
    if known then
      if known == '1' then found[#found + 1] = j elseif known == '2' then found[#found + 1] = -j end
      return false
    end
    if not distinct then holder = here[ids[j]] or holder end
    if not holder and claim then
      here[ids[j]] = own
      return true
    end
    local note = '0'
    if holder and holder ~= own and source(holder) ~= source(own) then
      local same = string.match(holder, ' (.*)') == string.match(own, ' (.*)')
      note = same and '1' or '2'
      found[#found + 1] = same and j or -j
    end
    if decided and (note ~= '0' or not claim) then redis.call('HSET', decided, c[1] .. '|' .. source(own), note) end
    return false
  end
  -- Mostly every id is new, occurs once and is judged for the first time.
  local plain = claim and distinct and not again
  for first = 1, #ids, 1000 do
    local last, fresh, n = math.min(first + 999, #ids), {}, 0
    local got = redis.call('HMGET', key, unpack(ids, first, last))
    for j = first, last do
      local holder = got[j - first + 1]
      if (plain and not holder) or compare(j, holder) then
        fresh[n + 1], fresh[n + 2] = ids[j], holders[j]
        n = n + 2
      end
    end
    if n > 0 then redis.call('HSET', key, unpack(fresh)) end
  end
  duplicates[i] = found
end
local upto, notes = '-1', ''
if again then
  upto = redis.call('HGET', decided, 'upto') or '-1'
  if upto ~= '-1' then notes = redis.call('HGET', decided, 'notes') or '' end
end
return {1, missing, duplicates, values, upto, notes}
"""

#: ARGV: prefix, payload {applied: [field, expected], seen, upto, notes}. Notes what the rules over other records found, up
#: to an offset, before anything is sent; ``seen`` is up to where notes went when the batch was looked up.
#: Returns {0, applied} when another worker has moved the partition on or noted something meanwhile, else {1}.
NOTE = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local now = redis.call('HGET', prefix .. ':applied', p.applied[1])
if (now or '-1') ~= tostring(p.applied[2]) then return {0, now or '-1'} end
local decided = prefix .. ':decided:' .. p.applied[1]
if (redis.call('HGET', decided, 'upto') or '-1') ~= tostring(p.seen) then return {0, now or '-1'} end
redis.call('HSET', decided, 'upto', p.upto, 'notes', p.notes)
return {1}
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
    local offset = string.match(note, '(%d+)$')
    if not offset then offset = redis.call('HGET', decided, 'upto') or '-1' end
    if tonumber(offset) <= p.applied[3] then redis.call('HDEL', decided, note) end
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
for i = 1, #p.refs, 1000 do
  redis.call('HSET', prefix .. ':ref:' .. entity, unpack(p.refs, i, math.min(i + 999, #p.refs)))
end
for _, r in ipairs(p.release) do
  local key = prefix .. ':uniq:' .. entity .. ':' .. r[1]
  local holder = redis.call('HGET', key, r[2])
  if holder and string.match(holder, '^[^ ]+') == r[3] then redis.call('HDEL', key, r[2]) end
end
local learned = 0
for _, l in ipairs(p.learned) do
  local key = prefix .. ':learned:' .. entity .. ':' .. l[1] .. ':' .. l[2]
  for field, n in pairs(l[3]) do
    redis.call('HINCRBY', key, field, n)
    learned = learned + n
  end
  redis.call('HSET', prefix .. ':learned:' .. entity .. ':' .. l[1], l[2], 1)
end
if learned > 0 then redis.call('HINCRBY', prefix .. ':baseline:' .. entity, 'learned', learned) end
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

#: ARGV: prefix, payload {entity, before, records: [[waiting field, partition field, offset, [[entity, id]…]]…]}.
#: Decides about waiting records, durably, before anything is sent: a record is rejected whose references are missing and that
#: has waited since ``before`` (ms) or longer. Per record {state, [index of a missing reference…], [rule found before it
#: waited…]}: state 0 gone, 1 still waits (or is not counted as waiting yet), 2 all references known, 3 rejected.
DECIDE = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local waiting, out = prefix .. ':waiting:' .. p.entity, {}
for i, r in ipairs(p.records) do
  local text = redis.call('HGET', waiting, r[1])
  if not text then
    local applied = tonumber(redis.call('HGET', prefix .. ':applied', r[2]) or '-1')
    out[i] = {applied >= r[3] and 0 or 1, {}, {}}
  else
    local state = cjson.decode(text)
    local rules = state.rules or {}
    if state.decision ~= 'rejected' then
      local missing = {}
      for j, ref in ipairs(r[4]) do
        if redis.call('HEXISTS', prefix .. ':ref:' .. ref[1], ref[2]) == 0 then missing[#missing + 1] = j - 1 end
      end
      if #missing == 0 then out[i] = {2, {}, rules}
      elseif state.since > p.before then out[i] = {1, {}, {}}
      else
        state.decision, state.missing = 'rejected', missing
        redis.call('HSET', waiting, r[1], cjson.encode(state))
      end
    end
    if not out[i] then out[i] = {3, state.missing, rules} end
  end
end
return out
"""

#: ARGV: prefix, payload {entity, records: [[waiting field, [rule id…]]…]}. Notes what records that are about to settle were
#: found to break, unless it has been noted before; returns per record the rules that stand.
MARK = """
local prefix, p, out = ARGV[1], cmsgpack.unpack(ARGV[2]), {}
local waiting = prefix .. ':waiting:' .. p.entity
for i, r in ipairs(p.records) do
  local text = redis.call('HGET', waiting, r[1])
  local state = text and cjson.decode(text)
  if not state then out[i] = r[2]
  elseif state.late then out[i] = state.late
  else
    state.late = r[2]
    redis.call('HSET', waiting, r[1], cjson.encode(state))
    out[i] = r[2]
  end
end
return out
"""

#: ARGV: prefix, payload {entity, expected version, version, document, learned, week}. Puts a new baseline in force unless
#: another worker has done so meanwhile. Returns 1 or 0.
PROMOTE = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local key = prefix .. ':baseline:' .. p.entity
if (redis.call('HGET', key, 'version') or '0') ~= tostring(p.expected) then return 0 end
redis.call('HSET', key, 'version', p.version, 'document', p.document, 'from', p.learned, 'week', p.week)
return 1
"""
