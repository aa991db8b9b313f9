// Peers from npm: neovim, msgpack-rpc-lite, @msgpack/msgpack. Arguments: NAME FOLDER HOST PORT.
'use strict';
const net = require('net');
const path = require('path');
const [name, folder, host, port] = process.argv.slice(2);

/* The neovim package takes console.log for itself. */
function say(line) {
  process.stdout.write(`${line}\n`);
}

function load(module) {
  try {
    return require(path.join(folder, 'node_modules', module));
  } catch (error) {
    say(`skipped: npm ${module} is not installed (${error.code || error.message})`);
    process.exit(77);
  }
}

function order(id, item) {
  return { order_id: id, service: 'standard', lines: [{ item, qty: 2 }],
    dest: { lat: 40.7, lon: -74.0 } };
}

/* Each peer gives request(params): a promise of [error, result] as that library shows them. */
const peers = {
  'neovim': () => {
    const { attach } = load('neovim');
    const socket = net.connect(port, host);
    const nvim = attach({ reader: socket, writer: socket });
    return (params) => new Promise((done) => nvim.transport.request('order.route', [params],
      (error, result) => done([error && (error.message || error[1] || error), result])));
  },
  'msgpack-rpc-lite': () => {
    const client = load('msgpack-rpc-lite').createClient(Number(port), host);
    return (params) => new Promise((done) => client.call('order.route', params,
      (error, result) => done([error && (error[1] || error), result])));
  },
  '@msgpack/msgpack': () => {
    const { encode, decodeMultiStream } = load('@msgpack/msgpack');
    const socket = net.connect(port, host);
    const replies = decodeMultiStream(socket);
    let id = 0;
    return async (params) => {
      socket.write(encode([0, id++, 'order.route', [params]]));
      const [, , error, result] = (await replies.next()).value;
      return [error && error[1], result];
    };
  },
};

async function main() {
  const request = peers[name]();
  const [, answer] = await request(order('peer-1', 'tea'));
  say(`node=${answer.fulfilments[0].node} km=${answer.total_km}`);
  const [error] = await request(order('peer-2', 'coffee'));
  say(`error=${error}`);
  process.exit(0);
}

main().catch((error) => {
  say(error.stack || error);
  process.exit(1);
});
