-- Marks that something is about to be sent: from now on the claim outlives its lease.
local entry = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if entry[1] ~= ARGV[1] or entry[2] then
    return 0
end
redis.call('HSET', KEYS[1], 'sent', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
