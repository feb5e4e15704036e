-- Decides about waiting records, durably, before anything is sent: a record is rejected if a reference is missing and it has
-- waited since `before` or longer.
--
-- KEYS[1]  waiting records
-- KEYS[2]  applied offsets
-- KEYS[3]  stem of the references, to be completed with the entity
-- ARGV[1]  {before (ms), records: [[waiting field, applied field, offset, [[entity, id]…]]…]}
-- Returns  {1, rows}, per record {state, [index of a missing reference…], [rule found before it waited…]}; state: 0 gone, 1 still waits
--          (or is not counted as waiting yet), 2 all references known, 3 rejected.
local waiting, applied, references_stem = KEYS[1], KEYS[2], KEYS[3]
local p, out = cmsgpack.unpack(ARGV[1]), {}
for i, r in ipairs(p.records) do
  local field, applied_field, offset, refs = unpack(r)
  local text = redis.call('HGET', waiting, field)
  if not text then
    local last = tonumber(string.match(redis.call('HGET', applied, applied_field) or '', '^-?%d+') or '-1')
    out[i] = {last >= offset and 0 or 1, {}, {}}
  else
    local state = cjson.decode(text)
    local rules = state.rules or {}
    if state.decision ~= 'rejected' then
      local missing = {}
      for j, ref in ipairs(refs) do
        if redis.call('HEXISTS', references_stem .. ref[1], ref[2]) == 0 then missing[#missing + 1] = j - 1 end
      end
      if state.decision == 'known' or #missing == 0 then
        -- It may be delivered from here on, whatever is deleted meanwhile.
        if not state.decision or state.decision == cjson.null then
          state.decision = 'known'
          redis.call('HSET', waiting, field, cjson.encode(state))
        end
        out[i] = {2, {}, rules}
      elseif state.since > p.before then out[i] = {1, {}, {}}
      else
        state.decision, state.missing = 'rejected', missing
        redis.call('HSET', waiting, field, cjson.encode(state))
      end
    end
    if not out[i] then out[i] = {3, state.missing, rules} end
  end
end
return {1, out}
