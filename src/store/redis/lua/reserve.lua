-- Takes the earliest place. The arithmetic is that of memory/budgets.rs, in the same order and the same words.
local places, operation, waiting_key, platform, app, month, egress, born_key = unpack(KEYS)
local calls, per, hold, each, allowance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local egress_each, egress_allowance = tonumber(ARGV[6]), tonumber(ARGV[7])
local month_limit, month_ends, horizon = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local replica, weight, mark = ARGV[11], tonumber(ARGV[12]), ARGV[13]

-- Who waits where: each replica's word counts until 2 s after its last one.
redis.call('HSET', waiting_key, replica, text(weight) .. ' ' .. text(now + 2000000))
redis.call('PEXPIRE', waiting_key, 10000)
local waiting = 0
local words = redis.call('HGETALL', waiting_key)
for i = 1, #words, 2 do
    local one, ends = string.match(words[i + 1], '(%d+) (%d+)')
    if tonumber(ends) <= now then
        redis.call('HDEL', waiting_key, words[i])
    else
        waiting = waiting + tonumber(one)
    end
end

local month_calls = number(redis.call('GET', month))
if month_limit >= 0 and month_calls >= month_limit then
    return {0, math.max(month_ends - now, 0), 'month', 0, waiting, month_calls}
end

-- A Redis that knows nothing may have known something a moment ago: it begins with the pause of a window.
local born = redis.call('GET', born_key)
if not born then
    born = now
    redis.call('SET', born_key, text(now), 'PX', 86400000)
end
born = tonumber(born) + per

redis.call('ZREMRANGEBYSCORE', places, '-inf', text(now))
local free = now
local above = redis.call('ZCARD', places) - calls
if above >= 0 then
    free = tonumber(redis.call('ZRANGE', places, above, above, 'WITHSCORES')[2])
end
local state = redis.call('HMGET', operation, 'tat', 'awaited', 'paused')
local tat, awaited, paused = number(state[1]), number(state[2]), number(state[3])
local egress_state = redis.call('HMGET', egress, 'tat', 'paused')
local egress_tat, egress_paused = number(egress_state[1]), number(egress_state[2])
local platform_paused = number(redis.call('HGET', platform, 'paused'))
local month_paused = number(redis.call('HGET', app, 'paused'))

local at, limit = now, 'operation'
local waited = 0
for _, earliest in ipairs({
    {'operation', free},
    {'operation', tat - allowance},
    {'egress', egress_tat - egress_allowance},
    {'operation', born, true},
    {'operation', paused, true},
    {'platform', platform_paused, true},
    {'egress', egress_paused, true},
    {'month', month_paused, true},
}) do
    if earliest[2] > at then
        at, limit = earliest[2], earliest[1]
    end
    if earliest[3] then
        waited = math.max(waited, earliest[2])
    end
end

if at - now > horizon then
    if awaited > now then
        awaited = math.min(awaited, at)
    else
        awaited = at
    end
    redis.call('HSET', operation, 'awaited', text(awaited))
    keep(operation, math.max(at, paused, tat))
    return {0, at - now, limit, 0, waiting, month_calls}
end

-- Who had to wait starts no burst; nor does who comes out of a pause, or comes again as told.
if awaited <= now then
    waited = math.max(waited, awaited)
end
if at > now then
    tat = at + allowance + each
else
    tat = math.max(tat, waited + allowance, now) + each
end
redis.call('HSET', operation, 'tat', text(tat))
keep(operation, math.max(tat, paused))
-- Counted when it is reserved: a place far ahead must not close the address for everybody else until then.
redis.call('HSET', egress, 'tat', text(math.max(egress_tat, now) + egress_each))
keep(egress, math.max(egress_tat, egress_paused))
month_calls = redis.call('INCR', month)
keep(month, month_ends)
redis.call('ZADD', places, text(at + hold), text(at) .. ':' .. mark)
keep(places, at + hold)
return {1, at - now, limit, at, waiting, month_calls}
