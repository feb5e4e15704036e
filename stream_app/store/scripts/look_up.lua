-- Step 2: looks up references and claims unique ids for a batch.
--
-- KEYS[1]  applied offsets
-- KEYS[2]  look-up notes of the partition (unused without `applied`)
-- KEYS[3…] the references of each row of `refs`, then the periods of the keys of each row of `claims`
--          (unique.lua),
--          then the deleted ids of the entity of each row of `refs`
-- ARGV[1]  {applied: [field, expected position] or nothing,
--           refs: [[[id…], values wanted: 0|1, number of the last deletion that is known, or nothing]…],
--           claims: [[rule, claim: 0|1, [id…], owners one after the other, distinct: 0|1, period of all or [period…]]…]}
--          An id is a number or a text, an owner as in judge/owners.py, all of one size; `distinct` says that no id occurs twice.
-- Returns  {0, position} when another worker has moved the partition on, else
--          {1, [missing indexes…], [[duplicate index + 1, negative where the contents differ…]…], [[value…]…], upto, notes,
--          [deletions…]}, deletions: per row of `refs` nothing, or {number of the last one that counts, [id deleted since…] or
--          nothing: too many}.
--
-- What is found out about an id is noted until the batch is applied (field `rule|offset`: 0 unique, 1 repeat, 2
-- contradiction): whoever judges the record again comes to the same verdict, even if the id has been claimed or given back
-- since. `upto` and `notes` are what note.lua wrote.
local applied, notes = KEYS[1], KEYS[2]
local p = cmsgpack.unpack(ARGV[1])
if p.applied then
  local now = redis.call('HGET', applied, p.applied[1])
  if (now or '-1 0 0 0 0') ~= p.applied[2] then return {0, now or '-1 0 0 0 0'} end
end

local again = p.applied and redis.call('EXISTS', notes) == 1
local missing, values, deletions = {}, {}, {}
for i, ref in ipairs(p.refs) do
  local key, ids, wanted, seen = KEYS[2 + i], ref[1], ref[2] == 1, ref[3]
  local deleted, before = KEYS[2 + #p.refs + #p.claims + i], false
  deletions[i] = false
  if seen then
    local newest = redis.call('ZREVRANGE', deleted, 0, 0, 'WITHSCORES')[2] or '0'
    local number, since = tonumber(newest), {}
    -- A record that was judged before is judged as of then: what it refers to may have been deleted since.
    if p.applied and number > 0 then
      local name = 'deletions|' .. i .. '|'
      local noted = again and redis.call('HGET', notes, name)
      if not noted then redis.call('HSET', notes, name, newest)
      elseif tonumber(noted) < number then before = tonumber(noted) end
    end
    if seen >= 0 and number ~= seen then
      local oldest = redis.call('ZRANGE', deleted, 0, 0, 'WITHSCORES')[2]
      if number < seen or tonumber(oldest) > seen + 1 then since = false
      else since = redis.call('ZRANGEBYSCORE', deleted, '(' .. seen, before or '+inf') end
    end
    deletions[i] = {before or number, since}
  end
  local absent, known = {}, {}
  for first = 1, #ids, 1000 do
    local last = math.min(first + 999, #ids)
    local got = redis.call('HMGET', key, unpack(ids, first, last))
    for j = first, last do
      local value = got[j - first + 1]
      if not value and before and tonumber(redis.call('ZSCORE', deleted, ids[j]) or '0') > before then value = '1' end
      if not value then absent[#absent + 1] = j - 1 end
      if wanted then known[j] = value or '' end
    end
  end
  missing[i], values[i] = absent, known
end

local function record(owner) return string.sub(owner, 1, RECORD_BYTES) end
local function note_of(rule, owner) return rule .. '|' .. string.format('%.0f', struct.unpack('>I7', string.sub(owner, 4, 10))) end
local duplicates, fresh_notes = {}, {}
for i, c in ipairs(p.claims) do
  local key, found, here = KEYS[2 + #p.refs + i], {}, {}
  local rule, claim, ids, all, distinct, periods = c[1], c[2] == 1, c[3], c[4], c[5] == 1, c[6]
  local size = #all / #ids
  -- Mostly hardly any is needed by itself.
  local owners = setmetatable({}, {__index = function(_, j) return owner_at(all, j - 1, size) end})
  local layouts, sorted = periods_of(key)
  -- Mostly every id is new, occurs once and is judged for the first time.
  local plain = claim and distinct and not again
  local known = owners_near(key, layouts, sorted, ids, periods, plain and all)
  -- The owner among the records of this claim that come before the one at j.
  local function earlier(j)
    for _, other in ipairs(here[ids[j]] or {}) do
      if type(periods) == 'number' or math.abs(periods[other] - periods[j]) <= NEIGHBOURS then return owners[other] end
    end
  end
  -- Compares the record at j with the owner of its id; true when the record becomes the owner.
  local function compare(j)
    local own, owner = owners[j], known[j]
    local noted = again and redis.call('HGET', notes, note_of(rule, own))
    if noted then
      if noted == '1' then found[#found + 1] = j elseif noted == '2' then found[#found + 1] = -j end
      return false
    end
    if not distinct then owner = earlier(j) or owner end
    if not owner and claim then
      here[ids[j]] = here[ids[j]] or {}
      table.insert(here[ids[j]], j)
      return true
    end
    local note = '0'
    if owner and owner ~= own and record(owner) ~= record(own) then
      local same = string.sub(owner, RECORD_BYTES + 1) == string.sub(own, RECORD_BYTES + 1)
      note = same and '1' or '2'
      found[#found + 1] = same and j or -j
    end
    if p.applied and (note ~= '0' or not claim) then
      fresh_notes[#fresh_notes + 1] = note_of(rule, own)
      fresh_notes[#fresh_notes + 1] = note
    end
    return false
  end
  local skip = plain and known or {}
  if not plain or next(known) then
    for j = 1, #ids do
      if (known[j] or not plain) and not compare(j) then skip[j] = true end
    end
  end
  if claim then set_all(key, layouts, ids, owners, periods, skip, all) end
  duplicates[i] = found
end

write(notes, fresh_notes)

local upto, noted = '-1', ''
if again then
  upto = redis.call('HGET', notes, 'upto') or '-1'
  if upto ~= '-1' then noted = redis.call('HGET', notes, 'notes') or '' end
end
return {1, missing, duplicates, values, upto, noted, deletions}
