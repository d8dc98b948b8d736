-- Takes a lease that nobody has. Its number is greater than any before, also where Redis has forgotten those.
local lease, numbers = unpack(KEYS)
if redis.call('EXISTS', lease) == 1 then
    return ''
end
local mine = text(math.max(number(redis.call('GET', numbers)) + 1, now))
redis.call('SET', numbers, mine, 'PX', 34560000000)
redis.call('SET', lease, mine, 'PX', ARGV[1])
return mine
