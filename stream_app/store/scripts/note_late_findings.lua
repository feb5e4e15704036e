-- Notes which rules waiting records that are about to settle were found to break, unless that was noted before.
--
-- KEYS[1]  waiting records
-- ARGV[1]  [[waiting field, [rule…]]…]
-- Returns  {1, rows}, per record the rules that count: those of the first time.
local waiting = KEYS[1]
local out = {}
for i, r in ipairs(cmsgpack.unpack(ARGV[1])) do
  local field, rules = r[1], r[2]
  local text = redis.call('HGET', waiting, field)
  local state = text and cjson.decode(text)
  if not state then out[i] = rules
  elseif state.late then out[i] = state.late
  else
    state.late = rules
    redis.call('HSET', waiting, field, cjson.encode(state))
    out[i] = rules
  end
end
return {1, out}
