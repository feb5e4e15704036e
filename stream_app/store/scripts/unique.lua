-- Unique keys in the store, for the scripts that read and write them; docs/explanation/memory.md has what it costs.
--
-- The hash `key` of a rule lists its periods: period → 'width first last'. The owners of a period's keys are in the hash
-- `key/period` (*flat*) and, if the keys are numbers and lie close together, in hashes `key/period/bucket` of `width`
-- numbers each, which Redis stores as compact lists. The flat hash was filled before the width was known; first and last
-- are its least and largest number. Width 0: not known yet; -1: none.
local UNDECIDED, NONE = 0, -1
-- Keys in a flat hash before a width is chosen. Keys of the sample in a bucket: there are as many more as there are other
-- partitions. A bucket that would be wider than WIDEST is not worth it.
local SAMPLE, BUCKET, WIDEST = 1000, 16, 2048
-- Periods before and after its own that a record is compared with.
local NEIGHBOURS = 2
local RECORD_BYTES = 10

-- Returns period → {width, first, last}, and the periods in ascending order.
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

-- Groups rows with a number as id by bucket: {[bucket, {row…}]…}, and the rows that have none.
local function buckets_of(width, ids, rows)
  local groups, by_bucket, others = {}, {}, {}
  for _, j in ipairs(rows) do
    local id = ids[j]
    if type(id) == 'number' then
      local bucket = math.floor(id / width)
      local group = by_bucket[bucket]
      if not group then
        group = {}
        by_bucket[bucket], groups[#groups + 1] = group, {bucket, group}
      end
      group[#group + 1] = j
    else
      others[#others + 1] = j
    end
  end
  return groups, others
end

local function bucket_key(key, period, bucket) return string.format('%s/%d/%.0f', key, period, bucket) end
local function flat_key(key, period) return string.format('%s/%d', key, period) end

-- Reads the owners of rows in a hash: `fields[n]` is that of `rows[n]`.
local function read(hash, fields, rows, owners)
  for first = 1, #rows, 1000 do
    local last = math.min(first + 999, #rows)
    local got = redis.call('HMGET', hash, unpack(fields, first, last))
    for n = first, last do
      if got[n - first + 1] then owners[rows[n]] = got[n - first + 1] end
    end
  end
end

local function write(hash, pairs_of)
  for i = 1, #pairs_of, 2000 do redis.call('HSET', hash, unpack(pairs_of, i, math.min(i + 1999, #pairs_of))) end
end

-- Puts the owner of each of `rows` in a period into `owners` (row → owner).
local function find_owners(key, period, layout, ids, rows, owners)
  local width, flat = layout[1], rows
  if width > 0 then
    local groups, others = buckets_of(width, ids, rows)
    flat = others
    for _, group in ipairs(groups) do
      local bucket, members, fields = group[1], group[2], {}
      for n, j in ipairs(members) do fields[n] = ids[j] - bucket * width end
      read(bucket_key(key, period, bucket), fields, members, owners)
    end
    for _, group in ipairs(groups) do
      for _, j in ipairs(group[2]) do
        if not owners[j] and ids[j] >= layout[2] and ids[j] <= layout[3] then flat[#flat + 1] = j end
      end
    end
  end
  if #flat == 0 then return end
  local fields = ids
  if flat ~= rows or #rows < #ids then
    fields = {}
    for n, j in ipairs(flat) do fields[n] = ids[j] end
  end
  read(flat_key(key, period), fields, flat, owners)
end

-- Chooses a width once the flat hash has enough numbers: by how close together the middle half of them lies.
local function choose_width(key, period, layout, numeric)
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
    if width <= WIDEST then layout[1], layout[2], layout[3] = width, numbers[1], numbers[#numbers] end
  end
  redis.call('HSET', key, period, string.format('%d %.0f %.0f', layout[1], layout[2], layout[3]))
end

-- Makes `owners[row]` the owner of the id of each of `rows`, in a period.
local function set_owners(key, period, layouts, ids, rows, owners)
  if #rows == 0 then return end
  local layout = layouts[period]
  if not layout then
    layout = {UNDECIDED, 0, 0}
    layouts[period] = layout
    redis.call('HSET', key, period, '0 0 0')
  end
  local width, flat = layout[1], rows
  if width > 0 then
    local groups, others = buckets_of(width, ids, rows)
    flat = others
    for _, group in ipairs(groups) do
      local bucket, fresh, n = group[1], {}, 0
      for _, j in ipairs(group[2]) do
        fresh[n + 1], fresh[n + 2] = ids[j] - bucket * width, owners[j]
        n = n + 2
      end
      write(bucket_key(key, period, bucket), fresh)
    end
  end
  local fresh, n = {}, 0
  for _, j in ipairs(flat) do
    fresh[n + 1], fresh[n + 2] = ids[j], owners[j]
    n = n + 2
  end
  write(flat_key(key, period), fresh)
  if width == UNDECIDED then choose_width(key, period, layout, type(ids[rows[1]]) == 'number') end
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

-- Writes the owners of rows, each in its period.
local function set_all(key, layouts, ids, rows, owners, periods)
  if type(periods) == 'number' then return set_owners(key, periods, layouts, ids, rows, owners) end
  local by_period = {}
  for _, j in ipairs(rows) do
    local group = by_period[periods[j]]
    if not group then
      group = {}
      by_period[periods[j]] = group
    end
    group[#group + 1] = j
  end
  for period, group in pairs(by_period) do set_owners(key, period, layouts, ids, group, owners) end
end

-- Removes an id in every period, those with another owner than `record` excepted; returns the owners. `record`: nil for any.
local function forget(key, id, record)
  local owners = {}
  local layouts, sorted = periods_of(key)
  for _, period in ipairs(sorted) do
    local hashes, width = {{flat_key(key, period), id}}, layouts[period][1]
    if width > 0 and type(id) == 'number' then
      local bucket = math.floor(id / width)
      hashes[2] = {bucket_key(key, period, bucket), id - bucket * width}
    end
    for _, hash in ipairs(hashes) do
      local owner = redis.call('HGET', hash[1], hash[2])
      if owner and (not record or string.sub(owner, 1, RECORD_BYTES) == record) then
        redis.call('HDEL', hash[1], hash[2])
        owners[#owners + 1] = owner
      end
    end
  end
  return owners
end
local function give_back(key, id, record) forget(key, id, record) end

