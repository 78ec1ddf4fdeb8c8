// libsignal's half of bench/bench_signal.py: one JSON object per stdin line -> one per stdout line, timed in this process.
//   {"op": "hello"}                              -> {"libsignal": "0.103.0", "node": "v20..."}
//   {"op": "setup" | "one_way" | "ping_pong", "n": 25, "size": 200} -> {"...": [microseconds, ...]}
// Stores keep the live record and serialise it after every operation, as our side does.
import * as S from '@signalapp/libsignal-client';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';

class Sessions extends S.SessionStore {
  live = new Map(); bytes = new Map();
  async saveSession(a, r) { this.live.set(a.toString(), r); this.bytes.set(a.toString(), r.serialize()); }
  async getSession(a) { return this.live.get(a.toString()) ?? null; }
  async getExistingSessions(as) { return as.map((a) => this.live.get(a.toString())); }
}
class Identities extends S.IdentityKeyStore {
  m = new Map();
  constructor(pair, id) { super(); this.pair = pair; this.id = id; }
  async getIdentityKey() { return this.pair.privateKey; }
  async getIdentityKeyPair() { return this.pair; }
  async getLocalRegistrationId() { return this.id; }
  async saveIdentity(a, k) { this.m.set(a.toString(), k); return S.IdentityChange.NewOrUnchanged; }
  async isTrustedIdentity() { return true; }
  async getIdentity(a) { return this.m.get(a.toString()) ?? null; }
}
class PreKeys extends S.PreKeyStore {
  m = new Map();
  async savePreKey(i, r) { this.m.set(i, r.serialize()); }
  async getPreKey(i) { return S.PreKeyRecord.deserialize(this.m.get(i)); }
  async removePreKey(i) { this.m.delete(i); }
}
class SignedPreKeys extends S.SignedPreKeyStore {
  m = new Map();
  async saveSignedPreKey(i, r) { this.m.set(i, r.serialize()); }
  async getSignedPreKey(i) { return S.SignedPreKeyRecord.deserialize(this.m.get(i)); }
}
class KyberPreKeys extends S.KyberPreKeyStore {
  m = new Map();
  async saveKyberPreKey(i, r) { this.m.set(i, r.serialize()); }
  async getKyberPreKey(i) { return S.KyberPreKeyRecord.deserialize(this.m.get(i)); }
  async markKyberPreKeyUsed(i) { this.m.delete(i); }
}

let nextId = 1;
function party() {
  const pair = S.IdentityKeyPair.generate();
  return {
    address: S.ProtocolAddress.new(randomUUID(), 1), pair, registrationId: 4242, sessions: new Sessions(),
    identities: new Identities(pair, 4242), prekeys: new PreKeys(), signed: new SignedPreKeys(), kyber: new KyberPreKeys(),
  };
}
async function bundle(p) {
  const id = nextId++, now = Date.now();
  const spk = S.PrivateKey.generate(), spkSig = p.pair.privateKey.sign(spk.getPublicKey().serialize());
  await p.signed.saveSignedPreKey(id, S.SignedPreKeyRecord.new(id, now, spk.getPublicKey(), spk, spkSig));
  const kem = S.KEMKeyPair.generate(), kemSig = p.pair.privateKey.sign(kem.getPublicKey().serialize());
  await p.kyber.saveKyberPreKey(id, S.KyberPreKeyRecord.new(id, now, kem, kemSig));
  const one = S.PrivateKey.generate();
  await p.prekeys.savePreKey(id, S.PreKeyRecord.new(id, one.getPublicKey(), one));
  return S.PreKeyBundle.new(p.registrationId, 1, id, one.getPublicKey(), id, spk.getPublicKey(), spkSig, p.pair.publicKey, id, kem.getPublicKey(), kemSig);
}
const start = (a, b, x) => S.processPreKeyBundle(x, b.address, a.address, a.sessions, a.identities);
async function encrypt(a, b, plaintext) {
  const c = await S.signalEncrypt(plaintext, b.address, a.address, a.sessions, a.identities);
  return { type: c.type(), body: c.serialize() };
}
const decrypt = (b, a, c) => c.type === S.CiphertextMessageType.PreKey
  ? S.signalDecryptPreKey(S.PreKeySignalMessage.deserialize(c.body), a.address, b.address, b.sessions, b.identities, b.prekeys, b.signed, b.kyber)
  : S.signalDecrypt(S.SignalMessage.deserialize(c.body), a.address, b.address, b.sessions, b.identities);
const now = () => Number(process.hrtime.bigint()) / 1000;

let a, b;
async function running() {
  if (a) return;
  a = party(); b = party();
  await start(a, b, await bundle(b));
  for (let i = 0; i < 60; i++) { await decrypt(b, a, await encrypt(a, b, new Uint8Array(200))); await decrypt(a, b, await encrypt(b, a, new Uint8Array(200))); }
}
const ops = {
  hello() {
    const v = JSON.parse(readFileSync(new URL('./node_modules/@signalapp/libsignal-client/package.json', import.meta.url)));
    return { libsignal: v.version, node: process.version };
  },
  async setup({ n, size }) {
    const setup = [], plaintext = new Uint8Array(size), x = party(), y = party();
    for (let i = 0; i < n; i++) {
      x.sessions.live.clear(); y.sessions.live.clear();
      const z = await bundle(y);
      const t = now();
      await start(x, y, z);
      await decrypt(y, x, await encrypt(x, y, plaintext));
      setup.push(now() - t);
    }
    return { setup };
  },
  async one_way({ n, size }) {
    await running();
    const out = { encrypt: [], decrypt: [] }, sent = [], plaintext = new Uint8Array(size);
    await decrypt(a, b, await encrypt(b, a, plaintext));
    await decrypt(b, a, await encrypt(a, b, plaintext));
    for (let i = 0; i < n; i++) { const t = now(); sent.push(await encrypt(a, b, plaintext)); out.encrypt.push(now() - t); }
    for (const c of sent) { const t = now(); await decrypt(b, a, c); out.decrypt.push(now() - t); }
    return out;
  },
  async ping_pong({ n, size }) {
    await running();
    const ping_pong = [], state = [], plaintext = new Uint8Array(size);
    for (let i = 0; i < n; i++) {
      const [x, y] = i % 2 ? [b, a] : [a, b];
      const t = now();
      await decrypt(y, x, await encrypt(x, y, plaintext));
      ping_pong.push(now() - t);
      state.push(x.sessions.bytes.get(y.address.toString()).length);
    }
    return { ping_pong, state };
  },
};
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const request = JSON.parse(line);
  process.stdout.write(JSON.stringify(await ops[request.op](request)) + '\n');
}
