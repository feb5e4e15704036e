-- Publishes a report once: only the owner of its claim may, and only if there is no such report yet (or `replace` is 1).
--
-- KEYS[1]  report
-- KEYS[2]  claim
-- KEYS[3]  reports by the end of their period
-- KEYS[4]  unannounced reports
-- KEYS[5]  stem of reports, to be completed with the id
-- ARGV[1]  {token, id, end, report (JSON), replace: 0|1, kept}
-- Returns  1 when it was published, else 0.
local report, claim, reports, unannounced, stem = unpack(KEYS)
local p = cmsgpack.unpack(ARGV[1])
if redis.call('GET', claim) ~= p.token then return 0 end
redis.call('DEL', claim)
if p.replace ~= 1 and redis.call('EXISTS', report) == 1 then return 0 end
redis.call('SET', report, p.report)
redis.call('ZADD', reports, p['end'], p.id)
redis.call('SADD', unannounced, p.id)
local extra = redis.call('ZCARD', reports) - p.kept
if extra > 0 then
  for _, old in ipairs(redis.call('ZRANGE', reports, 0, extra - 1)) do
    redis.call('ZREM', reports, old)
    redis.call('SREM', unannounced, old)
    redis.call('DEL', stem .. old)
  end
end
return 1
