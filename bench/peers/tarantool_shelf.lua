-- The job in Tarantool: nearest feasible source of two lines, taken in one transaction, remembered.
--
-- Started by the suite as: tarantool tarantool_shelf.lua PORT WAL_MODE FOLDER NODES
-- stock (item, node, free) and orders (id, n1, n2) are spaces: what counts is in them and in the
-- log. Beside them stand, in plain memory of LuaJIT, what they are searched by: nearest lists per
-- area, and a byte per item and node that says whether units may be free.

local ffi = require('ffi')
local fio = require('fio')

local port, wal_mode, folder, nodes = arg[1], arg[2], arg[3], tonumber(arg[4])

box.cfg{
  listen = '127.0.0.1:' .. port,
  wal_mode = wal_mode,
  work_dir = folder,
  memtx_memory = 6 * 1024 * 1024 * 1024,
  checkpoint_interval = 0,
  net_msg_max = 16384,
  readahead = 1048576,
  log_level = 3,
}

local stock = box.schema.space.create('stock', {
  format = {{'item', 'unsigned'}, {'node', 'unsigned'}, {'free', 'integer'}}})
stock:create_index('primary', {type = 'hash', parts = {{1, 'unsigned'}, {2, 'unsigned'}}})
local orders = box.schema.space.create('orders', {
  format = {{'id', 'string'}, {'n1', 'unsigned'}, {'n2', 'unsigned'}}})
orders:create_index('primary', {type = 'hash', parts = {{1, 'string'}}})

-- -- filling --

local function read_all(name)
  local file = assert(fio.open(name, {'O_RDONLY'}))
  local text = file:read(file:stat().size)
  file:close()
  return text
end

local items = {}  -- id -> number
local item_count = 0
local has         -- [item * nodes + node]: 1 where units may be free
local near        -- [area * nodes + rank]

local function fill()
  local text = read_all('near.bin')
  local bytes = ffi.cast('const uint8_t *', text)
  local count = #text / 2
  near = ffi.new('uint16_t[?]', count)
  for i = 0, count - 1 do
    near[i] = bytes[2 * i] * 256 + bytes[2 * i + 1]
  end
  text = read_all('stock.bin')
  bytes = ffi.cast('const uint8_t *', text)
  local rows = #text / 10
  local function u32(at)
    return ((bytes[at] * 256 + bytes[at + 1]) * 256 + bytes[at + 2]) * 256 + bytes[at + 3]
  end
  item_count = u32((rows - 1) * 10) + 1
  has = ffi.new('uint8_t[?]', item_count * nodes)
  for first = 0, rows - 1, 10000 do
    box.begin()
    for row = first, math.min(first + 9999, rows - 1) do
      local at = row * 10
      local item, node = u32(at), bytes[at + 4] * 256 + bytes[at + 5]
      stock:insert{item, node, u32(at + 6)}
      has[item * nodes + node] = 1
    end
    box.commit()
  end
  for item = 0, item_count - 1 do
    items[string.format('SKU-%07d', item)] = item
  end
end

-- -- deciding --

local primary = stock.index.primary

local function free_at(item, node)
  local tuple = primary:get{item, node}
  return tuple and tuple[3] or 0
end

-- The nearest node that holds both, or nil.
local function nearest(area, i1, q1, i2, q2)
  local first, second, list = i1 * nodes, i2 * nodes, area * nodes
  for rank = 0, nodes - 1 do
    local node = near[list + rank]
    if has[first + node] == 1 and has[second + node] == 1 and
        free_at(i1, node) >= q1 and free_at(i2, node) >= q2 then
      return node
    end
  end
  return nil
end

local function take(item, node, qty)
  local tuple = stock:update({item, node}, {{'-', 3, qty}})
  if tuple[3] <= 0 then
    has[item * nodes + node] = 0
  end
end

local KNOWN = 17179869184 -- 2^34

function route(id, area, name1, q1, name2, q2)
  local old = orders:get{id}
  if old then
    return KNOWN + old[2] * 131072 + old[3]
  end
  local i1, i2 = items[name1], items[name2]
  if not i1 or not i2 then
    return -1
  end
  local n1 = nearest(area, i1, q1, i2, q2)
  local n2 = n1
  if not n1 then
    n1 = nearest(area, i1, q1, i1, q1)
    n2 = nearest(area, i2, q2, i2, q2)
    if not n1 or not n2 then
      return -1
    end
  end
  box.begin()
  take(i1, n1, q1)
  take(i2, n2, q2)
  orders:insert{id, n1, n2}
  box.commit() -- yields until the log has it; a log that cannot be written ends the process
  return n1 * 131072 + n2
end

box.schema.func.create('route', {if_not_exists = true})
box.schema.user.grant('guest', 'execute', 'function', 'route', {if_not_exists = true})
box.schema.user.grant('guest', 'read,write', 'space', 'stock')
box.schema.user.grant('guest', 'read,write', 'space', 'orders')
fill()
io.stdout:write('ready listen=127.0.0.1:' .. port .. ' cells=' .. stock:len() .. '\n')
io.stdout:flush()
