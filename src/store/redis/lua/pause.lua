-- Closes what the key stands for; a longer pause stays.
local ends = math.max(now + tonumber(ARGV[1]), number(redis.call('HGET', KEYS[1], 'paused')))
redis.call('HSET', KEYS[1], 'paused', text(ends))
keep(KEYS[1], ends)
return 0
