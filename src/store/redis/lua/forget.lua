-- Frees the key.
local entry = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if entry[1] == ARGV[1] and not entry[2] then
    redis.call('DEL', KEYS[1])
end
return 0
