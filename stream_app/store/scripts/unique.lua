-- Unique keys in the store, for the scripts that read and write them; docs/explanation/memory.md has what it costs.
--
-- The hash `key` of a rule lists its periods: period → 'width first last size'. The owners of a period's keys are in the hash
-- `key/period` (*flat*) and, if the keys are numbers and lie close together, in buckets of `width` numbers, two strings each:
-- `key/period/bucket` has a code of each number that is taken, and `key/period/bucket/owners` their owners of `size` bytes, both
-- in the order of arrival. The flat hash was filled before the width was known; first and last are its least and largest
-- number. Width 0: not known yet; -1: none.
local UNDECIDED, NONE = 0, -1
-- Keys in a flat hash before a width is chosen. Keys of the sample in a bucket: there are as many more as there are other
-- partitions. A bucket that would be wider than WIDEST is not worth it: CODE bytes say where in it a number is.
local SAMPLE, BUCKET, WIDEST, CODE = 1000, 32, 4096, 2
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
local function owners_key(bucket) return bucket .. '/owners' end
local function flat_key(key, period) return string.format('%s/%d', key, period) end

-- The code of a position in a bucket.
local function code_of(position) return string.char(position % 256, math.floor(position / 256)) end

-- Returns the index, from 0, of a code among codes; nil if it is not there.
local function index_of(codes, code)
  local at = find(codes, code, 1, true)
  while at and at % CODE == 0 do at = find(codes, code, at + 1, true) end
  return at and (at - 1) / CODE
end

local function owner_at(all, index, size) return string.sub(all, index * size + 1, (index + 1) * size) end

-- Adds codes and owners to a bucket. An append leaves room for as much again; a copy of it has none.
local function append(bucket, codes, owners)
  local name = owners_key(bucket)
  call('APPEND', bucket, codes)
  call('APPEND', name, owners)
  call('BITOP', 'OR', bucket, bucket)
  call('BITOP', 'OR', name, name)
end

-- Puts the owners of rows in a hash into `owners` (row → owner), and returns how many it found.
local function read(hash, ids, rows, owners)
  local found = 0
  for first = 1, #rows, 1000 do
    local last, fields = math.min(first + 999, #rows), {}
    for n = first, last do fields[n - first + 1] = ids[rows[n]] end
    for n, owner in ipairs(redis.call('HMGET', hash, unpack(fields))) do
      if owner then
        owners[rows[first + n - 1]] = owner
        found = found + 1
      end
    end
  end
  return found
end

local function write(hash, pairs_of)
  for i = 1, #pairs_of, 2000 do redis.call('HSET', hash, unpack(pairs_of, i, math.min(i + 1999, #pairs_of))) end
end

-- Puts the owner of each of `rows` in a period into `owners`, and returns how many it found.
--
-- With `all`, the owners that all rows are, one after the other: if it turns out that nobody owns any of those that are not
-- found, `layout.fresh` gets the buckets that they belong to: {{key, codes to add, runs: first and last row of each}…}.
local function find_owners(key, period, layout, ids, rows, owners, all)
  local width = layout[1]
  if width <= 0 then return read(flat_key(key, period), ids, rows, owners) end
  local first, last, size = layout[2], layout[3], layout[4]
  local buckets, by_number, codes, flat, found = {}, {}, {}, {}, 0
  local number, bucket
  for n = 1, #rows do
    local j = rows[n]
    local id = ids[j]
    if type(id) ~= 'number' then
      flat[#flat + 1] = j
    else
      local position = id % width
      local code, its = codes[position], (id - position) / width
      if not code then
        code = code_of(position)
        codes[position] = code
      end
      -- Neighbours mostly share a bucket.
      if its ~= number then
        number, bucket = its, by_number[its]
        if not bucket then
          local name = bucket_key(key, period, its)
          bucket = {key = name, codes = call('GET', name) or '', added = {}, runs = {}, last = -1}
          by_number[its], buckets[#buckets + 1] = bucket, bucket
        end
      end
      local index = find(bucket.codes, code, 1, true) and index_of(bucket.codes, code)
      if index then
        bucket.owners = bucket.owners or call('GET', owners_key(bucket.key)) or ''
        owners[j] = owner_at(bucket.owners, index, size)
        found = found + 1
      elseif id >= first and id <= last then
        flat[#flat + 1] = j
      elseif all then
        local added, runs = bucket.added, bucket.runs
        added[#added + 1] = code
        if bucket.last + 1 ~= j then runs[#runs + 1], runs[#runs + 2] = j, j else runs[#runs] = j end
        bucket.last = j
      end
    end
  end
  if #flat > 0 then found = found + read(flat_key(key, period), ids, flat, owners)
  elseif all and #all == #ids * size then layout.fresh = buckets end
  return found
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
local function fitted(owner, size) return string.sub(owner .. string.rep('\0', size), 1, size) end

-- Makes `owners[row]` the owner of the id of each of `rows` in a bucket.
local function write_bucket(bucket, width, size, ids, rows, owners)
  local codes, more, added = call('GET', bucket) or '', {}, {}
  for _, j in ipairs(rows) do
    local code, owner = code_of(ids[j] % width), fitted(owners[j], size)
    local index = index_of(codes, code)
    if index then
      call('SETRANGE', owners_key(bucket), index * size, owner)
    else
      more[#more + 1], added[#added + 1] = code, owner
    end
  end
  if #more > 0 then append(bucket, concat(more), concat(added)) end
end

-- Makes the rows of each run the owners of their ids in a bucket; `all`: see find_owners.
local function write_runs(bucket, all, size)
  local added, runs = {}, bucket.runs
  if #runs == 0 then return end
  for i = 1, #runs, 2 do added[#added + 1] = string.sub(all, (runs[i] - 1) * size + 1, runs[i + 1] * size) end
  append(bucket.key, concat(bucket.added), concat(added))
end

-- Groups rows by what `of` returns for each: {value → rows}.
local function grouped(rows, of)
  local groups = {}
  for _, j in ipairs(rows) do
    local value = of(j)
    local group = groups[value]
    if not group then
      group = {}
      groups[value] = group
    end
    group[#group + 1] = j
  end
  return groups
end

-- Makes `owners[row]` the owner of the id of each of `rows`, in a period.
local function set_owners(key, period, layouts, ids, rows, owners)
  local layout = layouts[period]
  if not layout then
    layout = {UNDECIDED, 0, 0}
    layouts[period] = layout
    redis.call('HSET', key, period, '0 0 0')
  end
  local width, flat = layout[1], rows
  if width > 0 then
    local groups = grouped(rows, function(j) return type(ids[j]) == 'number' and math.floor(ids[j] / width) or 'flat' end)
    flat, groups.flat = groups.flat or {}, nil
    for bucket, members in pairs(groups) do
      write_bucket(bucket_key(key, period, bucket), width, layout[4], ids, members, owners)
    end
  end
  local fresh, n = {}, 0
  for _, j in ipairs(flat) do
    fresh[n + 1], fresh[n + 2] = ids[j], owners[j]
    n = n + 2
  end
  write(flat_key(key, period), fresh)
  if width == UNDECIDED then choose_width(key, period, layout, type(ids[rows[1]]) == 'number', #owners[rows[1]]) end
end

-- Returns row → owner among the records that each row is compared with. `periods`: of each row, or one number for all;
-- `all`: see find_owners.
local function owners_near(key, layouts, sorted, ids, periods, all)
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
    if n > 0 then
      local own = period == periods
      local found = find_owners(key, period, layouts[period], ids, rows, owners, own and all)
      -- What a later period has is not fresh.
      if one and not own and found > 0 and layouts[periods] then layouts[periods].fresh = nil end
    end
  end
  return owners
end

-- Writes the owners of all rows, those in `skip` excepted, each in its period. `all`: what owners_near had.
local function set_all(key, layouts, ids, owners, periods, skip, all)
  local one = type(periods) == 'number'
  local fresh = one and layouts[periods] and layouts[periods].fresh
  if fresh then
    for _, bucket in ipairs(fresh) do write_runs(bucket, all, layouts[periods][4]) end
    return
  end
  local rows = {}
  for j = 1, #ids do
    if not skip[j] then rows[#rows + 1] = j end
  end
  if #rows == 0 then return end
  if one then return set_owners(key, periods, layouts, ids, rows, owners) end
  for period, members in pairs(grouped(rows, function(j) return periods[j] end)) do
    set_owners(key, period, layouts, ids, members, owners)
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
      local codes = call('GET', bucket) or ''
      local index = index_of(codes, code_of(id % width))
      local all = index and call('GET', owners_key(bucket)) or ''
      owner = index and owner_at(all, index, size)
      if is_meant(owner) then
        codes = string.sub(codes, 1, index * CODE) .. string.sub(codes, (index + 1) * CODE + 1)
        all = string.sub(all, 1, index * size) .. string.sub(all, (index + 1) * size + 1)
        if codes == '' then call('DEL', bucket, owners_key(bucket)) else call('MSET', bucket, codes, owners_key(bucket), all) end
        owners[#owners + 1] = owner
      end
    end
  end
  return owners
end
local function give_back(key, id, record) forget(key, id, record) end
