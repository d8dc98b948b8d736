-- Keeps the outcome.
local entry = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if entry[1] == ARGV[1] and not entry[2] then
    redis.call('HSET', KEYS[1], 'outcome', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 0
