-- The entries behind a place.
local limit, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local millis, count = place(ARGV[3])
local found = {}
local bytes = 0
while limit > 0 do
    local from = text(millis) .. '-' .. text(count + 1)
    local stretch = redis.call('XRANGE', entries, from, '+', 'COUNT', math.min(limit, 100))
    for _, entry in ipairs(stretch) do
        local body = entry[2][2]
        bytes = bytes + #body
        if bytes > max_bytes and #found > 0 then
            return {epoch, began, trimmed, last, found}
        end
        found[#found + 1] = entry[1]
        found[#found + 1] = body
        millis, count = place(entry[1])
    end
    limit = limit - 100
    if #stretch < 100 then
        break
    end
end
return {epoch, began, trimmed, last, found}
