-- The ledger's arithmetic, run by Redis or Valkey as one step. Five operations share it; the first argument names one.
--
-- An account is a hash (`total`, `settled`, and `h<hour>` for what was settled by hour) and a sorted set of its holds,
-- whose members are `<reservation>:<amount>` and whose scores are the moments at which they end.
--
-- Lua's numbers are doubles, exact to 2^53: nine million dollars in 10^-9. Sums are therefore left to HINCRBY, which
-- counts in 64 bits, and are read and compared as text.

local operation, now = ARGV[1], ARGV[2]

-- Whether whole number a is greater than b, both as text.
local function greater(a, b)
  local a_negative, b_negative = a:sub(1, 1) == '-', b:sub(1, 1) == '-'
  if a_negative ~= b_negative then return b_negative end
  if a_negative then a, b = b:sub(2), a:sub(2) end
  if #a ~= #b then return #a > #b end
  return a > b
end

local function negated(amount)
  if amount:sub(1, 1) == '-' then return amount:sub(2) end
  if amount == '0' then return amount end
  return '-' .. amount
end

local function add(account, field, amount)
  if amount ~= '0' then redis.call('HINCRBY', account, field, amount) end
end

local function sweep(account, holds)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now)) do
    redis.call('ZREM', holds, member)
    add(account, 'total', negated(member:match('([^:]+)$')))
  end
end

local function total_of(account)
  return redis.call('HGET', account, 'total') or '0'
end

-- KEYS: account, holds of each claim. ARGV from 3: reservation; amount, limit, held until, kept for (ms) of each.
if operation == 'reserve' then
  local reservation, totals = ARGV[3], {}
  local claims = #KEYS / 2
  local held = {}
  for claim = 1, claims do
    local account, holds = KEYS[2 * claim - 1], KEYS[2 * claim]
    local amount, limit = ARGV[4 * claim], ARGV[4 * claim + 1]
    sweep(account, holds)
    if not redis.call('ZSCORE', holds, reservation .. ':' .. amount) then
      local before = total_of(account)
      add(account, 'total', amount)
      redis.call('PEXPIRE', account, ARGV[4 * claim + 3])
      if limit ~= '' and amount ~= '0' and greater(total_of(account), limit) then
        add(account, 'total', negated(amount))
        for _, taken in ipairs(held) do
          redis.call('ZREM', KEYS[2 * taken], reservation .. ':' .. ARGV[4 * taken])
          add(KEYS[2 * taken - 1], 'total', negated(ARGV[4 * taken]))
        end
        local first = redis.call('ZRANGE', holds, 0, 0, 'WITHSCORES')
        return {'short', tostring(claim - 1), before, redis.call('HGET', account, 'settled') or '0', first[2] or ''}
      end
      redis.call('ZADD', holds, ARGV[4 * claim + 2], reservation .. ':' .. amount)
      held[#held + 1] = claim
    end
    redis.call('PEXPIRE', holds, ARGV[4 * claim + 3])
    totals[claim] = total_of(account)
  end
  return totals
end

-- KEYS: the marker; account, holds of each claim. ARGV from 3: reservation, marker kept for (ms), actual (empty:
-- released), hour; amount, kept for (ms) of each.
if operation == 'settle' then
  local reservation, actual, hour = ARGV[3], ARGV[5], ARGV[6]
  if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[4]) then return 0 end
  for claim = 1, (#KEYS - 1) / 2 do
    local account, holds = KEYS[2 * claim], KEYS[2 * claim + 1]
    local amount = ARGV[5 + 2 * claim]
    sweep(account, holds)
    if redis.call('ZREM', holds, reservation .. ':' .. amount) == 1 then
      add(account, 'total', negated(amount))
    end
    if actual ~= '' then
      add(account, 'total', actual)
      add(account, 'settled', actual)
      add(account, 'h' .. hour, actual)
    end
    redis.call('PEXPIRE', account, ARGV[6 + 2 * claim])
  end
  return 1
end

-- KEYS: account, holds. ARGV from 3: first hour, end (exclusive), kept for (ms); hour, settled of each.
if operation == 'correct' then
  local account, first, last = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4])
  local wanted, changes = {}, {}
  sweep(account, KEYS[2])
  for place = 6, #ARGV, 2 do wanted['h' .. ARGV[place]] = ARGV[place + 1] end
  for _, field in ipairs(redis.call('HKEYS', account)) do
    local hour = tonumber(field:match('^h(%d+)$'))
    if hour and hour >= first and hour < last and not wanted[field] then wanted[field] = '0' end
  end
  for field, settled in pairs(wanted) do
    local found = redis.call('HGET', account, field) or '0'
    for _, amount in ipairs({settled, negated(found)}) do
      add(account, 'total', amount)
      add(account, 'settled', amount)
      add(account, field, amount)
    end
    changes[#changes + 1] = settled
    changes[#changes + 1] = negated(found)
  end
  redis.call('PEXPIRE', account, ARGV[5])
  return changes
end

-- KEYS: account, holds.
if operation == 'balance' then
  sweep(KEYS[1], KEYS[2])
  return {redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1)}
end

return redis.error_reply('no such operation')
