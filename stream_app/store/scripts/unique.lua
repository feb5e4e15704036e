-- Unique keys in the store, for the scripts that read and write them; docs/explanation/memory.md has what it costs.
--
-- The hash `key` of a rule lists its periods: period → 'width first last size'. The owners of a period's keys are in the hash
-- `key/period` (*flat*) and, if the keys are numbers and lie close together, in strings `key/period/bucket`. A bucket is of
-- `width` numbers, and has for each number that is taken the code of its position and its owner of `size` bytes, in the order
-- of their arrival. The flat hash was filled before the width was known; first and last are its least and largest number.
-- Width 0: not known yet; -1: none.
local UNDECIDED, NONE = 0, -1
-- Keys in a flat hash before a width is chosen. Keys of the sample in a bucket: there are as many more as there are other
-- partitions. A bucket that would be wider than WIDEST is not worth it: CODE bytes say where in it a number is.
local SAMPLE, BUCKET, WIDEST, CODE = 1000, 16, 2048, 2
-- A bucket is written as a whole, which takes no more memory than it needs, if it becomes longer by a part of 1/LONGER at
-- least. Else only what is new is written: replicas and the log of Redis get the same.
local LONGER = 16
-- Periods before and after its own that a record is compared with.
local NEIGHBOURS = 2
local RECORD_BYTES = 10
-- Local names are faster, here where it matters.
local call, concat, find, type = redis.call, table.concat, string.find, type

-- Returns period → {width, first, last, size}, and the periods in ascending order.
local function periods_of(key)
  local layouts, sorted, raw = {}, {}, redis.call('HGETALL', key)
  for i = 1, #raw, 2 do
    local period, numbers = tonumber(raw[i]), {}
    for number in string.gmatch(raw[i + 1], '%S+') do numbers[#numbers + 1] = tonumber(number) end
    layouts[period], sorted[#sorted + 1] = numbers, period
  end
  table.sort(sorted)
  return layouts, sorted
end

local function bucket_key(key, period, bucket) return string.format('%s/%d/%.0f', key, period, bucket) end
local function flat_key(key, period) return string.format('%s/%d', key, period) end

-- The code of a position in a bucket. Its bytes are rare in owners: a search of a bucket seldom stops at anything else.
local function code_of(position) return string.char(255 - position % 256, 240 + math.floor(position / 256)) end

-- Returns where the entry with a code begins; nil if there is none. `entry`: bytes of an entry.
local function find_entry(entries, code, entry)
  local at = find(entries, code, 1, true)
  while at and (at - 1) % entry ~= 0 do at = find(entries, code, at + 1, true) end
  return at
end

-- Groups rows with a number as id by bucket: {groups: {{key of the bucket, row…}…}, codes: row → code, others: rows}.
local function buckets_of(key, period, width, ids, rows)
  local groups, codes, others, by_bucket, by_position = {}, {}, {}, {}, {}
  local bucket, group, size
  for n = 1, #rows do
    local j = rows[n]
    local id = ids[j]
    if type(id) == 'number' then
      local position = id % width
      local code, its = by_position[position], (id - position) / width
      if not code then
        code = code_of(position)
        by_position[position] = code
      end
      codes[j] = code
      -- Neighbours mostly share a bucket.
      if its ~= bucket then
        bucket, group = its, by_bucket[its]
        if not group then
          group = {key = bucket_key(key, period, its)}
          by_bucket[its], groups[#groups + 1] = group, group
        end
        size = #group
      end
      size = size + 1
      group[size] = j
    else
      others[#others + 1] = j
    end
  end
  return {groups = groups, codes = codes, others = others}
end

-- Puts the owners of rows in a hash into `owners` (row → owner).
local function read(hash, ids, rows, owners)
  for first = 1, #rows, 1000 do
    local last, fields = math.min(first + 999, #rows), {}
    for n = first, last do fields[n - first + 1] = ids[rows[n]] end
    for n, owner in ipairs(redis.call('HMGET', hash, unpack(fields))) do
      if owner then owners[rows[first + n - 1]] = owner end
    end
  end
end

local function write(hash, pairs_of)
  for i = 1, #pairs_of, 2000 do redis.call('HSET', hash, unpack(pairs_of, i, math.min(i + 1999, #pairs_of))) end
end

-- Puts the owner of each of `rows` in a period into `owners`. The buckets that were read for it are `layout.searched`.
local function find_owners(key, period, layout, ids, rows, owners)
  local flat = rows
  if layout[1] > 0 then
    local first, last, entry = layout[2], layout[3], CODE + layout[4]
    local searched = buckets_of(key, period, layout[1], ids, rows)
    local codes = searched.codes
    layout.searched, flat = searched, {}
    for n, j in ipairs(searched.others) do flat[n] = j end
    for _, group in ipairs(searched.groups) do
      local entries = call('GET', group.key) or ''
      group.entries = entries
      for n = 1, #group do
        local j = group[n]
        local at, id = find(entries, codes[j], 1, true), ids[j]
        if at and (at - 1) % entry ~= 0 then at = find_entry(entries, codes[j], entry) end
        if at then owners[j] = string.sub(entries, at + CODE, at + entry - 1)
        elseif id >= first and id <= last then flat[#flat + 1] = j end
      end
    end
  end
  if #flat > 0 then read(flat_key(key, period), ids, flat, owners) end
end

-- Chooses a width once the flat hash has enough numbers: by how close together the middle half of them lies.
local function choose_width(key, period, layout, numeric, size)
  local flat, numbers = flat_key(key, period), {}
  if numeric then
    if redis.call('HLEN', flat) < SAMPLE then return end
    for _, field in ipairs(redis.call('HKEYS', flat)) do
      local number = tonumber(field)
      if number and string.format('%.0f', number) == field then numbers[#numbers + 1] = number end
    end
  end
  layout[1], layout[2], layout[3] = NONE, 0, 0
  if #numbers > 0 then
    table.sort(numbers)
    local low, high = numbers[math.ceil(#numbers / 4)], numbers[math.ceil(#numbers * 3 / 4)]
    local wanted, width = BUCKET * (high - low + 1) * 2 / #numbers, BUCKET
    while width < wanted do width = width * 2 end
    if width <= WIDEST then layout[1], layout[2], layout[3], layout[4] = width, numbers[1], numbers[#numbers], size end
  end
  redis.call('HSET', key, period, string.format(layout[4] and '%d %.0f %.0f %d' or '%d %.0f %.0f', unpack(layout)))
end

-- Returns an owner in the size that a bucket has: a contract of another version may, or may not, have compared contents.
local function fitted(owner, size)
  return string.sub(owner .. string.rep('\0', size), 1, size)
end

-- Writes the owners of a group's rows, those in `skip` excepted. A bucket that was searched for them has none of these ids.
local function write_bucket(group, codes, size, owners, skip)
  local searched, entry = group.entries, CODE + size
  local entries, replaced, more, n = searched or call('GET', group.key) or '', false, {}, 0
  for m = 1, #group do
    local j = group[m]
    if not skip[j] then
      local owner, at = owners[j], not searched and find_entry(entries, codes[j], entry)
      if #owner ~= size then owner = fitted(owner, size) end
      if at then
        entries = string.sub(entries, 1, at + CODE - 1) .. owner .. string.sub(entries, at + entry)
        replaced = true
      else
        more[n + 1], more[n + 2] = codes[j], owner
        n = n + 2
      end
    end
  end
  if n == 0 and not replaced then return end
  if replaced or n / 2 * entry * LONGER >= #entries then call('SET', group.key, entries .. concat(more))
  else call('APPEND', group.key, concat(more)) end
end

-- Makes `owners[row]` the owner of the id of each of `rows`, those in `skip` excepted, in a period.
local function set_owners(key, period, layouts, ids, rows, owners, skip)
  local layout = layouts[period]
  if not layout then
    layout = {UNDECIDED, 0, 0}
    layouts[period] = layout
    redis.call('HSET', key, period, '0 0 0')
  end
  local width, flat = layout[1], rows
  if width > 0 then
    local buckets = layout.searched or buckets_of(key, period, width, ids, rows)
    flat = buckets.others
    for _, group in ipairs(buckets.groups) do write_bucket(group, buckets.codes, layout[4], owners, skip) end
  end
  local fresh, n = {}, 0
  for m = 1, #flat do
    local j = flat[m]
    if not skip[j] then
      fresh[n + 1], fresh[n + 2] = ids[j], owners[j]
      n = n + 2
    end
  end
  write(flat_key(key, period), fresh)
  if width == UNDECIDED and n > 0 then choose_width(key, period, layout, type(fresh[1]) == 'number', #fresh[2]) end
end

local function rows_of(ids)
  local rows = {}
  for j = 1, #ids do rows[j] = j end
  return rows
end

-- Returns row → owner among the records that each row is compared with. `periods`: of each row, or one number for all.
local function owners_near(key, layouts, sorted, ids, periods)
  local owners, one = {}, type(periods) == 'number'
  for _, period in ipairs(sorted) do
    local rows, n = {}, 0
    if not one or math.abs(period - periods) <= NEIGHBOURS then
      for j = 1, #ids do
        if not owners[j] and (one or math.abs(period - periods[j]) <= NEIGHBOURS) then
          n = n + 1
          rows[n] = j
        end
      end
    end
    if n > 0 then find_owners(key, period, layouts[period], ids, rows, owners) end
  end
  return owners
end

-- Writes the owners of all rows, those in `skip` excepted, each in its period.
local function set_all(key, layouts, ids, owners, periods, skip)
  if type(periods) == 'number' then return set_owners(key, periods, layouts, ids, rows_of(ids), owners, skip) end
  local by_period = {}
  for j, period in ipairs(periods) do
    if not skip[j] then
      local group = by_period[period]
      if not group then
        group = {}
        by_period[period] = group
      end
      group[#group + 1] = j
    end
  end
  for period, rows in pairs(by_period) do
    if layouts[period] then layouts[period].searched = nil end
    set_owners(key, period, layouts, ids, rows, owners, skip)
  end
end

-- Removes an id in every period, those with another owner than `record` excepted; returns the owners. `record`: nil for any.
local function forget(key, id, record)
  local owners = {}
  local function is_meant(owner) return owner and (not record or string.sub(owner, 1, RECORD_BYTES) == record) end
  local layouts, sorted = periods_of(key)
  for _, period in ipairs(sorted) do
    local flat, width, size = flat_key(key, period), layouts[period][1], layouts[period][4]
    local owner = redis.call('HGET', flat, id)
    if is_meant(owner) then
      redis.call('HDEL', flat, id)
      owners[#owners + 1] = owner
    end
    if width > 0 and type(id) == 'number' then
      local bucket = bucket_key(key, period, math.floor(id / width))
      local entries = redis.call('GET', bucket) or ''
      local at = find_entry(entries, code_of(id % width), CODE + size)
      owner = at and string.sub(entries, at + CODE, at + CODE + size - 1)
      if is_meant(owner) then
        entries = string.sub(entries, 1, at - 1) .. string.sub(entries, at + CODE + size)
        if entries == '' then redis.call('DEL', bucket) else redis.call('SET', bucket, entries) end
        owners[#owners + 1] = owner
      end
    end
  end
  return owners
end
local function give_back(key, id, record) forget(key, id, record) end
