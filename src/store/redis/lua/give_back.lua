-- Frees a place, and gives the month its call back.
local places, operation, month = unpack(KEYS)
local member, last, each = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('ZREM', places, member) == 1 and number(redis.call('HGET', operation, 'tat')) == last then
    -- The last of those who wait: nobody is behind it yet.
    redis.call('HSET', operation, 'tat', text(last - each))
end
if number(redis.call('GET', month)) > 0 then
    redis.call('DECR', month)
end
return 0
