-- Appends what the log has not met yet, and forgets what is not to be kept.
local ids, lease = KEYS[3], KEYS[4]
local fence, keep_time, keep_count, keep_ids = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local keep_ids_count, channel, name = tonumber(ARGV[7]), ARGV[8], ARGV[9]

if fence ~= '' and redis.call('GET', lease) ~= fence then
    return {0, {}}
end

local millis = math.floor(now / 1000)
local positions = {}
local added = 0
for i = 10, #ARGV, 2 do
    local id, body = ARGV[i], ARGV[i + 1]
    if id ~= '' and redis.call('ZSCORE', ids, id) then
        positions[#positions + 1] = ''
    else
        local last_millis, count = place(last)
        if millis > last_millis then
            last = text(millis) .. '-0'
        else
            last = text(last_millis) .. '-' .. text(count + 1)
        end
        -- First the entry: an id without its entry would be an entry that is lost.
        redis.call('XADD', entries, last, 'b', body)
        if id ~= '' then
            redis.call('ZADD', ids, text(now), id)
        end
        positions[#positions + 1] = last
        added = added + 1
    end
end

-- At most so many at a time: a retention that was made much shorter is caught up with step by step.
local function is_over(entry)
    return place(entry[1]) <= millis - keep_time
end
local over = math.min(math.max(redis.call('XLEN', entries) - keep_count, 0), 1000)
local first = redis.call('XRANGE', entries, '-', '+', 'COUNT', 1)
if over > 0 or (first[1] and is_over(first[1])) then
    local gone = {}
    for i, entry in ipairs(redis.call('XRANGE', entries, '-', '+', 'COUNT', over + added + 16)) do
        if i > over and not is_over(entry) then
            break
        end
        gone[#gone + 1] = entry[1]
        trimmed = entry[1]
    end
    redis.call('XDEL', entries, unpack(gone))
end
redis.call('ZREMRANGEBYSCORE', ids, '-inf', text(now - keep_ids * 1000))
redis.call('ZREMRANGEBYRANK', ids, 0, -keep_ids_count - 1)

redis.call('HSET', head, 'trimmed', trimmed, 'last', last)
redis.call('PEXPIRE', entries, text(keep_time + 60000))
redis.call('PEXPIRE', ids, text(keep_ids + 60000))
if added > 0 then
    redis.call('PUBLISH', channel, name)
end
return {1, positions}
