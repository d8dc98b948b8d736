-- A replica comes back. What it spent on its own is put on the months, and a Redis that lost them learns them again.
-- Where its last place on its own lies no more than a window back, nobody may begin before that window is over.
local late = tonumber(ARGV[1])
local born = tonumber(redis.call('GET', KEYS[1]) or now)
if late >= 0 then
    born = math.max(born, now + late)
end
redis.call('SET', KEYS[1], text(born), 'PX', 86400000)
for i = 2, #KEYS do
    local known, spent, ends = tonumber(ARGV[3 * i - 4]), tonumber(ARGV[3 * i - 3]), tonumber(ARGV[3 * i - 2])
    local calls = math.max(number(redis.call('GET', KEYS[i])), known) + spent
    redis.call('SET', KEYS[i], text(math.max(calls, 0)))
    keep(KEYS[i], ends)
end
return 0
