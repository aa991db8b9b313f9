" The Neovim peer's own part; peer_nvim.sh starts it.
function! Route(channel, order, item) abort
  return rpcrequest(a:channel, 'order.route', {'order_id': a:order, 'service': 'standard',
        \ 'lines': [{'item': a:item, 'qty': 2}], 'dest': {'lat': 40.7, 'lon': -74.0}})
endfunction

let channel = sockconnect('tcp', $PEER_ADDRESS, {'rpc': v:true})
let out = []
try
  let answer = Route(channel, 'peer-1', 'tea')
  call add(out, printf('node=%s km=%s', answer.fulfilments[0].node, string(answer.total_km)))
  call Route(channel, 'peer-2', 'coffee')
catch
  call add(out, 'error=' . v:exception)
endtry
call writefile(out, '/dev/stdout', 'b')
call writefile([''], '/dev/stdout', 'a')
qall!
