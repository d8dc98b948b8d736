-- A replica is there: how many are.
local replicas, born = unpack(KEYS)
redis.call('ZADD', replicas, text(now + 3000000), ARGV[1])
redis.call('ZREMRANGEBYSCORE', replicas, '-inf', text(now))
redis.call('PEXPIRE', replicas, 10000)
redis.call('PEXPIRE', born, 86400000)
return redis.call('ZCARD', replicas)
