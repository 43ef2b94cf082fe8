// The peers of npm: node peers.cjs PEER ROW FILE; the answer, then for each count on standard input its nanoseconds of CPU.
const fs = require('fs');
const readline = require('readline');

const PEERS = {
  'payment-card-magnetic-stripe-parser': () => {
    const { parsePaymentCardMagneticStripe: parse } = require('payment-card-magnetic-stripe-parser');
    return {
      prepare: (line) => line.replace(/\?(?=;)/, '?\r'), // it takes one track a line
      parse,
      answer: (result) => result.cards.map((card) => card.number).join(),
    };
  },
  'mag-stripe': () => {
    const { parse_card: parse } = require('mag-stripe');
    return { prepare: (line) => line, parse, answer: (result) => Object.values(result).join() };
  },
  aamva: () => {
    const aamva = require('aamva');
    return {
      prepare: (line) => line,
      parse: (line) => aamva.stripe(line),
      answer: (result) => [result.state, result.dl, result.name.last].join(),
    };
  },
};

const [peer, , file] = process.argv.slice(2);
const { prepare, parse, answer } = PEERS[peer]();
const line = prepare(fs.readFileSync(file, 'latin1'));
console.log(answer(parse(line)));
let kept = 0;
readline.createInterface({ input: process.stdin }).on('line', (count) => {
  const from = process.cpuUsage();
  for (let i = Number(count); i > 0; i--) kept += parse(line) ? 1 : 0;
  const { user, system } = process.cpuUsage(from);
  console.log(String(1000 * (user + system)));
});
