-- Holds a claim for another lease.
local entry = redis.call('HMGET', KEYS[1], 'owner', 'outcome', 'sent')
if entry[1] ~= ARGV[1] or entry[2] then
    return 0
end
redis.call('HSET', KEYS[1], 'lease', text(now + tonumber(ARGV[2])))
if not entry[3] then
    redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
end
return 1
