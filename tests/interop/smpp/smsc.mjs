// An SMSC for tests, on npm's smpp: JSON lines in, JSON lines out. It keeps what it took in a file before it says so, and
// sends it to the account that has the number until that account acknowledges.
//
// start   {port, users: {name: {password, number}}, store, key, cert}  -> {port}
// submits {}                     every submit_sm so far: {id, from, to, text, parts, data_coding, esm_class, reference}
// behave  {throttle, mute, receipts, final, lost_acks}   the next answers; receipts: "auto" | "none"; lost_acks: of messages
// deliver {user, from, ton, text | hex, data_coding, esm_class}   -> {status} of the acknowledgement, null if none came
// receipt {of, stat, from}       a receipt for a message of ours, from another number if given
// state   {}                     -> {sessions, waiting: [user], binds, enquiries}
// kick    {}                     every connection ends
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import smpp from "smpp";

let users = {}, store = "", server = null;
let behaviour = { throttle: 0, mute: 0, receipts: "auto", final: 0, lost_acks: 0 };
let kept = { next: 1, submits: [], queue: [] };
const sessions = new Map();
let binds = 0, enquiries = 0;

function save() {
  if (!store) return;
  writeFileSync(`${store}.new`, JSON.stringify(kept));
  renameSync(`${store}.new`, store);  // whoever kills us finds one or the other
}

function bodyOf(pdu) {
  const message = pdu.short_message && pdu.short_message.message !== undefined && pdu.short_message.message.length
    ? pdu.short_message : pdu.message_payload ?? pdu.short_message;
  const elements = message.udh ? Buffer.concat(message.udh) : Buffer.alloc(0);
  const udh = elements.length ? Buffer.concat([Buffer.from([elements.length]), elements]).toString("hex") : "";
  return { text: message.message.toString(), udh };
}

function wire(entry) {
  const pdu = {
    source_addr: entry.from, source_addr_ton: entry.ton ?? 1, source_addr_npi: 1,
    destination_addr: entry.to, dest_addr_ton: 1, dest_addr_npi: 1,
    esm_class: entry.esm_class ?? 0, data_coding: entry.data_coding ?? 0,
  };
  if (entry.hex !== undefined) pdu.short_message = Buffer.from(entry.hex, "hex");
  else if (entry.text.length > 70 && !entry.udh && !entry.esm_class) pdu.message_payload = { message: entry.text };
  else pdu.short_message = entry.udh
    ? { message: entry.text, udh: Buffer.from(entry.udh, "hex") } : entry.text;
  return pdu;
}

function hand(session, entry) {
  return new Promise((done) => {
    const ended = () => done(null);
    session.once("close", ended);
    session.deliver_sm(wire(entry), (answer) => { session.removeListener("close", ended); done(answer.command_status); });
  });
}

async function flush(name) {
  const session = sessions.get(name);
  if (!session || session.flushing) return;
  session.flushing = true;
  for (;;) {
    const entry = kept.queue.find((one) => one.user === name);
    if (!entry || sessions.get(name) !== session) break;
    const status = await hand(session, entry);
    if (status === null) break;
    if (status !== 0) { await new Promise((later) => setTimeout(later, 50)); continue; }
    if (behaviour.lost_acks > 0 && !(entry.esm_class & 4)) { behaviour.lost_acks -= 1; session.socket.destroy(); break; }
    kept.queue.splice(kept.queue.indexOf(entry), 1);
    save();
    if (entry.receipt) enqueueReceipt(entry.receipt, "DELIVRD");
  }
  session.flushing = false;
}

const ofNumber = (number) => Object.keys(users).find((name) => users[name].number === number);

function enqueueReceipt(id, stat, from) {
  const submit = kept.submits.find((one) => one.id === id);
  const to = submit ? submit.from : Object.values(users)[0].number;
  const user = ofNumber(to);
  const text = `id:${id} sub:001 dlvrd:001 submit date:2611231900 done date:2611231901 stat:${stat} err:000 text:x`;
  kept.queue.push({ user, from: from ?? submit?.to ?? "15550199", to, text, esm_class: 4 });
  save();
  flush(user);
}

function onSubmit(name, session, pdu) {
  if (behaviour.throttle > 0) { behaviour.throttle -= 1; return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED })); }
  if (behaviour.final > 0) { behaviour.final -= 1; return session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR })); }
  const id = `m${kept.next++}`;
  const { text, udh } = bodyOf(pdu);
  kept.submits.push({ id, from: pdu.source_addr, to: pdu.destination_addr, text, udh, data_coding: pdu.data_coding,
    esm_class: pdu.esm_class, registered: pdu.registered_delivery, reference: pdu.user_message_reference });
  const user = ofNumber(pdu.destination_addr);
  const receipt = pdu.registered_delivery & 1 && behaviour.receipts === "auto" ? id : "";
  if (user) kept.queue.push({ user, from: pdu.source_addr, to: pdu.destination_addr, text, udh,
    esm_class: pdu.esm_class & 0x40, data_coding: pdu.data_coding, receipt });
  save();
  if (behaviour.mute > 0) { behaviour.mute -= 1; session.socket.destroy(); }
  else session.send(pdu.response({ message_id: id }));
  if (user) flush(user);
  else if (receipt) enqueueReceipt(id, "DELIVRD");
}

function onSession(session) {
  let name = "";
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const user = users[pdu.system_id];
    if (!user || user.password !== pdu.password) {
      session.send(pdu.response({ command_status: user ? smpp.ESME_RINVPASWD : smpp.ESME_RINVSYSID }));
      return session.close();
    }
    name = pdu.system_id;
    binds += 1;
    sessions.get(name)?.socket.destroy();
    sessions.set(name, session);
    session.send(pdu.response());
    flush(name);
  });
  session.on("submit_sm", (pdu) => onSubmit(name, session, pdu));
  session.on("enquire_link", (pdu) => { enquiries += 1; session.send(pdu.response()); });
  session.on("unbind", (pdu) => { session.send(pdu.response()); session.close(); });
  session.on("close", () => { if (sessions.get(name) === session) sessions.delete(name); });
}

const operations = {
  start: (given) => new Promise((done) => {
    ({ users, store = "" } = given);
    if (store && existsSync(store)) kept = JSON.parse(readFileSync(store, "utf8"));
    const tls = given.cert ? { key: readFileSync(given.key), cert: readFileSync(given.cert) } : null;
    server = tls ? smpp.createServer(tls, onSession) : smpp.createServer(onSession);
    server.listen(given.port ?? 0, "127.0.0.1", () => done({ port: server.address().port }));
  }),
  submits: () => kept.submits,
  behave: (given) => { Object.assign(behaviour, given); return {}; },
  deliver: async ({ user, ...entry }) => {
    const session = sessions.get(user);
    return { status: session ? await hand(session, { to: users[user].number, ...entry }) : null };
  },
  receipt: ({ of, stat, from }) => { enqueueReceipt(of, stat ?? "DELIVRD", from); return {}; },
  state: () => ({ sessions: [...sessions.keys()], waiting: kept.queue.map((one) => one.user), binds, enquiries }),
  kick: () => { for (const session of sessions.values()) session.socket.destroy(); return {}; },
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, op, ...given } = JSON.parse(line);
  let answer;
  try { answer = { id, ok: true, result: await operations[op](given) }; }
  catch (error) { answer = { id, ok: false, error: { name: error.name, message: error.message } }; }
  process.stdout.write(JSON.stringify(answer) + "\n");
}).on("close", () => process.exit(0));
