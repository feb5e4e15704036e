-- Step 4: applies everything that a batch changes, once.
--
-- KEYS[1]      applied offsets
-- KEYS[2]      look-up notes of the partition (unused without `applied`)
-- KEYS[3]      waiting records
-- KEYS[4]      totals
-- KEYS[5]      references
-- KEYS[6]      recent findings
-- KEYS[7]      recent clean records
-- KEYS[8]      baseline
-- KEYS[9]      stem of the periods of unique keys (unique.lua), to be completed with the rule
-- KEYS[10]     stem of the values of a segment, to be completed with the segment field
-- KEYS[11…12]  distinct customers and orders
-- KEYS[13]     what is counted ahead of the applied offset, by raw offset (unused without `counted`)
-- KEYS[14…15]  sketches of distinct customers and orders, in the stead of the sets if these had too many members
-- KEYS[16…33]  per grain: the starts of its windows, the stem of its windows, the stem of its customers' sketches, the stem
--              of its orders' sketches, the stem of its customers' sets, the stem of its orders' sets, all but the first to be
--              completed with the start
-- KEYS[34…]    per row of `learned`: its histogram and the weeks of its rule; then the clocks of the partitions; the stem of the
--              findings by rule and window, to be completed with the rule; unique keys by the id of their record; deleted ids,
--              by the number of the deletion; the last: the store as a whole
-- ARGV[1]      the payload (see Changes.payload)
-- Returns      {0, position} when another worker has moved the partition on, {0, [waiting field…]} when some of `settle` have
--              been settled before, both without any change; else {1, serial}.
local applied, notes, waiting, totals, references, findings, clean, baseline = unpack(KEYS, 1, 8)
local unique_stem, segments_stem, counted, grain_keys, learned_keys = KEYS[9], KEYS[10], KEYS[13], 15, 33
local p = cmsgpack.unpack(ARGV[1])

-- Redis takes a few thousand arguments at a time.
local function each(command, key, ids)
  for i = 1, #ids, 4000 do redis.call(command, key, unpack(ids, i, math.min(i + 3999, #ids))) end
end
-- Redis formats a number for each call; most of these numbers are small and occur often.
local texts = {}
local function increase(key, field, n)
  local text = texts[n]
  if not text then
    text = string.format('%.0f', n)
    texts[n] = text
  end
  call('HINCRBY', key, field, text)
end

-- The distinct values of a window, under a key: a set; sets by the last digits of the values, if they are more than Redis
-- packs; or none. See Keys.members.
local function unlink_members(key)
  if redis.call('SISMEMBER', key, 'split') == 1 then
    for part = 0, p.parts - 1 do redis.call('UNLINK', key .. '/' .. part) end
  end
  redis.call('UNLINK', key)
end
-- Adds members, and returns how many are new.
local function add_all(key, ids)
  local new = 0
  for i = 1, #ids, 4000 do new = new + redis.call('SADD', key, unpack(ids, i, math.min(i + 3999, #ids))) end
  return new
end
-- Mostly the values of a batch are added to one window of each grain: they are divided once.
local divided, parts = nil, nil
local function add_parts(key, ids)
  if divided ~= ids then
    divided, parts = ids, {}
    for _, id in ipairs(ids) do
      local c, b, a = string.byte(id, -3, -1)
      local part = (c + 10 * (b or 0) + 100 * (a or 0)) % p.parts
      local list = parts[part]
      if list then list[#list + 1] = id else parts[part] = {id} end
    end
  end
  local new = 0
  for part, list in pairs(parts) do new = new + add_all(key .. '/' .. part, list) end
  return new
end
-- Returns how many values there are now; 0 if only the sketch knows, nil if none was new. `before`: the same, nil if none was there.
local function add_members(key, ids, before)
  if before == 0 then return 0 end
  before = before or 0
  if before <= p.unsplit then
    local now = before + add_all(key, ids)
    if now == before then return nil end
    if now <= p.unsplit then return now end
    local all = redis.call('SMEMBERS', key)
    redis.call('UNLINK', key)
    if now <= p.window_exact then
      add_parts(key, all)
      redis.call('SADD', key, 'split')
      return now
    end
  else
    local now = before + add_parts(key, ids)
    if now == before then return nil end
    if now <= p.window_exact then return now end
    unlink_members(key)
  end
  redis.call('SADD', key, 'many')
  return 0
end

if p.applied then
  local now = redis.call('HGET', applied, p.applied[1]) or '-1 0 0 0 0'
  if now ~= p.applied[2] then return {0, now} end
end
if p.settle then
  local gone = {}
  for _, field in ipairs(p.settle) do
    if redis.call('HEXISTS', waiting, field) == 0 then gone[#gone + 1] = field end
  end
  if #gone > 0 then return {0, gone} end
end

if p.applied then
  redis.call('HSET', applied, p.applied[1], p.applied[3])
  local last = tonumber(string.match(p.applied[3], '^-?%d+'))
  local settled, upto = {}, tonumber(redis.call('HGET', notes, 'upto') or '-1')
  for _, note in ipairs(redis.call('HKEYS', notes)) do
    if (tonumber(string.match(note, '%d+$')) or upto) <= last then settled[#settled + 1] = note end
  end
  each('HDEL', notes, settled)
end
for _, row in ipairs(p.counted) do redis.call('HSET', counted, row[1], row[2]) end
if p.settled_at then redis.call('HSET', applied, p.settled_at[1], p.settled_at[2]) end
for _, field in ipairs(p.settle or {}) do redis.call('HDEL', waiting, field) end
for _, w in ipairs(p.wait) do redis.call('HSET', waiting, w[1], w[2]) end

for field, n in pairs(p.totals) do increase(totals, field, n) end
-- A new value of a segment beyond the cap is counted together with the others: its fields get the names in `beyond`.
local names, renamed = {}, false
for _, s in ipairs(p.segments) do
  local key, value, beyond = segments_stem .. s[1], s[2], s[3]
  if redis.call('SISMEMBER', key, value) == 0 then
    if redis.call('SCARD', key) < p.segment_values then
      redis.call('SADD', key, value)
    else
      renamed = true
      for field, other in pairs(beyond) do names[field] = other end
    end
  end
end
for g, grain in ipairs(p.grains) do
  local starts, window_stem, customers_stem, orders_stem, customers_sets, orders_sets = unpack(
    KEYS, grain_keys + 6 * g - 5, grain_keys + 6 * g)
  for _, w in ipairs(grain.windows) do
    local start, oldest = w[1], false
    if redis.call('ZADD', starts, 'NX', start, start) == 1 and redis.call('ZCARD', starts) > grain.kept then
      oldest = redis.call('ZPOPMIN', starts)[1]
      redis.call('UNLINK', window_stem .. oldest, customers_stem .. oldest, orders_stem .. oldest)
      for _, sets in ipairs({customers_sets, orders_sets}) do
        if redis.call('ZREM', sets .. 'sizes', oldest) == 1 then unlink_members(sets .. oldest) end
      end
    end
    if oldest ~= tostring(start) then
      local window = window_stem .. start
      if renamed then
        for field, n in pairs(w[2]) do increase(window, names[field] or field, n) end
      else
        for field, n in pairs(w[2]) do increase(window, field, n) end
      end
    end
  end
  for what, rows in ipairs(grain.sketches) do
    local stem = what == 1 and customers_stem or orders_stem
    local sets = what == 1 and customers_sets or orders_sets
    local sizes = sets .. 'sizes'
    for _, s in ipairs(rows) do
      local ids = s[2] == true and p.distinct[what] or s[2]
      if #ids > 0 and redis.call('ZSCORE', starts, s[1]) then
        local score = redis.call('ZSCORE', sizes, s[1])
        local before = score and (tonumber(score) - s[1]) * p.size_unit or nil
        local now = add_members(sets .. s[1], ids, before)
        -- What the set has, the sketch has too.
        if now then each('PFADD', stem .. s[1], ids) end
        if now and now ~= before then
          redis.call('ZADD', sizes, string.format('%.17g', s[1] + now / p.size_unit), s[1])
        end
      end
    end
  end
end
for what, ids in ipairs(p.distinct) do
  local members, sketch = KEYS[10 + what], KEYS[13 + what]
  if #ids > 0 then
    if redis.call('EXISTS', sketch) == 1 then
      each('PFADD', sketch, ids)
    else
      each('SADD', members, ids)
      if redis.call('SCARD', members) > p.distinct_exact then
        each('PFADD', sketch, redis.call('SMEMBERS', members))
        redis.call('UNLINK', members)
      end
    end
  end
end

-- What is known to have been delivered clean owns its keys, whoever has claimed them since.
for _, c in ipairs(p.claims) do
  local key, ids, owners, periods = unique_stem .. c[1], c[2], c[3], c[4]
  set_all(key, (periods_of(key)), ids, owners, periods, {})
end
for i = 1, #p.refs, 1000 do
  redis.call('HSET', references, unpack(p.refs, i, math.min(i + 999, #p.refs)))
end
for _, r in ipairs(p.release) do give_back(unique_stem .. r[1], r[2], r[3]) end
local owned_key, deleted_key = KEYS[#KEYS - 2], KEYS[#KEYS - 1]
for _, o in ipairs(p.owned) do
  local before = redis.call('HGET', owned_key, o[1])
  local list = before and cmsgpack.unpack(before) or {}
  list[#list + 1] = {o[2], o[3], o[4]}
  redis.call('HSET', owned_key, o[1], cmsgpack.pack(list))
end
-- A record that is deleted while it waits must not come after its tombstone.
local function reject_waiting(owner)
  local partition, generation, offset = struct.unpack('>HBI7', owner)
  local form = p.waiting_formats[generation + 1]
  if not form then return end
  local waiting_field = string.format(form, string.format('%d', partition), string.format('%.0f', offset))
  local text = redis.call('HGET', waiting, waiting_field)
  local state = text and cjson.decode(text)
  if not state or (state.decision and state.decision ~= cjson.null) then return end
  state.decision, state.missing, state.rules = 'rejected', {}, state.rules or {}
  state.rules[#state.rules + 1] = p.deleted_rule
  redis.call('HSET', waiting, waiting_field, cjson.encode(state))
end
if #p.deleted > 0 then
  local number = tonumber(redis.call('ZREVRANGE', deleted_key, 0, 0, 'WITHSCORES')[2] or '0')
  for i, id in ipairs(p.deleted) do
    if redis.call('HDEL', references, id) == 1 then
      number = number + 1
      redis.call('ZADD', deleted_key, number, id)
    end
    for _, key in ipairs(p.keys[i]) do
      for _, owner in ipairs(forget(unique_stem .. key[1], key[2])) do reject_waiting(owner) end
    end
    local owned = redis.call('HGET', owned_key, id)
    for _, o in ipairs(owned and cmsgpack.unpack(owned) or {}) do give_back(unique_stem .. o[1], o[2], o[3]) end
    if owned then redis.call('HDEL', owned_key, id) end
  end
  redis.call('ZREMRANGEBYRANK', deleted_key, 0, -p.deleted_kept - 1)
end
local learned = 0
for i, l in ipairs(p.learned) do
  local histogram, weeks = unpack(KEYS, learned_keys + 2 * i - 1, learned_keys + 2 * i)
  for bucket, n in pairs(l[2]) do
    increase(histogram, bucket, n)
    learned = learned + n
  end
  redis.call('HSET', weeks, l[1], 1)
end
if learned > 0 then redis.call('HINCRBY', baseline, 'learned', learned) end
if #p.findings > 0 then
  each('LPUSH', findings, p.findings)
  redis.call('LTRIM', findings, 0, p.findings_kept - 1)
end
-- Found findings: {windows, stem of a window, windows kept, start, findings}, both names to be put behind the stem.
for _, f in ipairs(p.found) do
  local found_stem, start, oldest = KEYS[#KEYS - 3], f[4], false
  local starts, stem = found_stem .. f[1], found_stem .. f[2]
  if redis.call('ZADD', starts, 'NX', start, start) == 1 and redis.call('ZCARD', starts) > f[3] then
    oldest = redis.call('ZPOPMIN', starts)[1]
    redis.call('UNLINK', stem .. oldest)
  end
  if oldest ~= tostring(start) then
    redis.call('LPUSH', stem .. start, unpack(f[5]))
    redis.call('LTRIM', stem .. start, 0, p.found_kept - 1)
  end
end
if #p.clean > 0 then
  each('LPUSH', clean, p.clean)
  redis.call('LTRIM', clean, 0, p.clean_kept - 1)
end
if p.clock then
  -- The entity's time is that of the partition that is furthest: it can go back while a partition has few records. Only
  -- then all partitions are asked.
  local function reached(clock) return tonumber(string.match(clock or '', '^%d+') or '0') end
  local clocks = KEYS[learned_keys + 2 * #p.learned + 1]
  local before, after = reached(redis.call('HGET', clocks, p.clock[1])), reached(p.clock[2])
  local newest = math.max(after, tonumber(redis.call('HGET', totals, p.event_time) or '0'))
  redis.call('HSET', clocks, p.clock[1], p.clock[2])
  if after < before and before >= newest then
    newest = 0
    for _, clock in ipairs(redis.call('HVALS', clocks)) do newest = math.max(newest, reached(clock)) end
  end
  if newest > 0 then redis.call('HSET', totals, p.event_time, string.format('%.0f', newest)) end
end
redis.call('HSET', totals, p.applied_at[1], string.format('%.0f', p.applied_at[2]))
return {1, redis.call('HINCRBY', KEYS[#KEYS], 'serial', 1)}
