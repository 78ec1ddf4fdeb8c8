// JSON lines around ts-mls: one request a line on stdin, one reply a line on stdout. README.md lists the operations.
//   {"id": 1, "op": "commit", ...} -> {"id": 1, "ok": true, "result": {...}} or {"id": 1, "ok": false, "error": {"name", "message"}}
// Bytes are {"hex": "..."} both ways. Operations whose names begin with bench_ time the library alone: no JSON, no hex.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import * as m from 'ts-mls';
import { defaultExtensionTypes } from 'ts-mls/defaultExtensionType.js';
import { encodeRatchetTree, decodeRatchetTree } from 'ts-mls/ratchetTree.js';
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js';
import * as rcc16 from './rcc16_receipt.mjs';
import * as fixes from './tsmls_fixes.mjs';

globalThis.crypto ??= webcrypto; // Node 18
const SUITES = [1, 2, 3, 5, 7];
const GREASE = Array.from({ length: 15 }, (_, i) => 0x0a0a + 0x1010 * i);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const now = () => Number(process.hrtime.bigint()) / 1e6;
const equal = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;

class Refused extends Error { constructor(message) { super(message); this.name = 'Refused'; } }
const named = (map, kind) => (name) => { if (!map.has(name)) throw new Refused(`no ${kind} ${name}`); return map.get(name); };
const clients = new Map(), groups = new Map(), externalPsks = new Map();
const client = named(clients, 'client'), group = named(groups, 'group');

const suiteName = (number) => Object.entries(m.ciphersuites).find(([, v]) => v === number)?.[0];
const implementations = new Map();
async function implementation(number) {
  if (!SUITES.includes(number)) throw new Refused(`suite ${number}`);
  if (!implementations.has(number)) implementations.set(number, await m.getCiphersuiteImpl(m.getCiphersuiteFromName(suiteName(number))));
  return implementations.get(number);
}

// PSKs: external ones by id, resumption ones from any group that this process knows or has known for some epochs.
const psks = {
  findPsk(id) {
    if (id.psktype === 'external') return externalPsks.get(hex(id.pskId));
    for (const { state } of groups.values()) {
      if (!equal(state.groupContext.groupId, id.pskGroupId)) continue;
      const found = m.makePskIndex(state, {}).findPsk(id);
      if (found) return found;
    }
  },
};

const extensionNames = Object.fromEntries(Object.entries(defaultExtensionTypes).map(([k, v]) => [v, k]));
const extensions = (list = []) => list.map(([type, data]) => ({ extensionType: extensionNames[type] ?? type, extensionData: data }));
const listed = (list) => list.map((e) => [typeof e.extensionType === 'number' ? e.extensionType : defaultExtensionTypes[e.extensionType], e.extensionData]);
const credentialName = (type) => ({ 1: 'basic', 2: 'x509' })[type] ?? String(type);
const encoded = (content) => m.encodeMlsMessage({ version: 'mls10', ...content });

function decoded(bytes, wireformat) {
  const message = m.decodeMlsMessage(bytes, 0);
  if (!message || message[1] !== bytes.length) throw new Refused('no MLSMessage');
  if (wireformat && message[0].wireformat !== wireformat) throw new Refused(`a ${message[0].wireformat}, not a ${wireformat}`);
  return message[0];
}

const config = (a) => ({
  keyRetentionConfig: { ...m.defaultKeyRetentionConfig, ...(a.retention ?? {}) }, lifetimeConfig: m.defaultLifetimeConfig,
  keyPackageEqualityConfig: m.defaultKeyPackageEqualityConfig, authService: m.defaultAuthenticationService,
  paddingConfig: a.padding === undefined ? m.defaultPaddingConfig : { kind: 'alwaysPad', paddingLength: a.padding },
});

function leafOf(state, { index, identity }) {
  if (identity === undefined) return index;
  const at = state.ratchetTree.findIndex((n) => n?.nodeType === 'leaf' && n.leaf.credential.identity && equal(n.leaf.credential.identity, identity));
  if (at < 0) throw new Refused('no member of that identity');
  return at / 2;
}

async function proposal(g, p) {
  const nonce = () => p.nonce ?? g.cs.rng.randomBytes(g.cs.kdf.size);
  switch (p.type) {
    case 'add': return { proposalType: 'add', add: { keyPackage: decoded(p.key_package, 'mls_key_package').keyPackage } };
    case 'remove': return { proposalType: 'remove', remove: { removed: leafOf(g.state, p) } };
    case 'psk': return { proposalType: 'psk', psk: { preSharedKeyId: { psktype: 'external', pskId: p.psk_id, pskNonce: nonce() } } };
    case 'resumption_psk': return { proposalType: 'psk', psk: { preSharedKeyId: { psktype: 'resumption', usage: p.usage, pskGroupId: p.group_id, pskEpoch: BigInt(p.epoch), pskNonce: nonce() } } };
    case 'reinit': return { proposalType: 'reinit', reinit: { groupId: p.group_id, version: 'mls10', cipherSuite: suiteName(p.suite), extensions: extensions(p.extensions) } };
    case 'group_context_extensions': return { proposalType: 'group_context_extensions', groupContextExtensions: { extensions: extensions(p.extensions) } };
    case 'custom': return { proposalType: p.proposal_type, proposalData: p.data };
    case 'update': {
      const made = await fixes.ownUpdate(g.state, g.cs);
      g.updates.set(hex(made.proposal.update.leafNode.hpkePublicKey), made.privateKey);
      return made.proposal;
    }
    default: throw new Refused(`proposal ${p.type}`);
  }
}

async function freshKeyPackage(c, a = {}) {
  const t = BigInt(Math.floor(Date.now() / 1000));
  const grease = (list, as = (x) => x) => a.grease ? [...list, ...GREASE.map(as)] : list;
  const capabilities = {
    versions: ['mls10'], ciphersuites: grease((a.suites ?? SUITES).map(suiteName), String), extensions: grease(a.capable_extensions ?? []),
    proposals: grease(a.capable_proposals ?? []), credentials: grease((a.capable_credentials ?? [1, 2]).map(credentialName), String),
  };
  // OpenMLS-like peers refuse more than about three months; 80 days with an hour's tolerance suits everybody.
  const lifetime = { notBefore: BigInt(a.not_before ?? t - 3600n), notAfter: BigInt(a.not_after ?? t + 80n * 86400n) };
  const made = await m.generateKeyPackageWithKey(c.credential, capabilities, lifetime, extensions(a.extensions), c.keys, c.cs, extensions(a.leaf_extensions));
  c.packages.push(made);
  return made;
}

// The private half of the package that a Welcome is for.
async function packageFor(c, welcome) {
  for (const made of c.packages) {
    const reference = await makeKeyPackageRef(made.publicPackage, c.cs.hash);
    if (welcome.secrets.some((s) => equal(s.newMember, reference))) return made;
  }
  throw new Refused('the Welcome is for no key package of this client');
}

const treeOf = (a) => a.tree ? decodeRatchetTree(a.tree, 0)[0] : undefined;
const keep = (name, state, c) => groups.set(name, { state: fixes.standardState(state), cs: c.cs, pending: null, updates: new Map() });

function status(name) {
  const { state } = group(name), c = state.groupContext;
  return {
    epoch: Number(c.epoch), epoch_authenticator: state.keySchedule.epochAuthenticator, tree_hash: c.treeHash,
    confirmed_transcript_hash: c.confirmedTranscriptHash, extensions: listed(c.extensions), leaf: state.privatePath.leafIndex,
    pending_proposals: Object.keys(state.unappliedProposals).length, active: state.groupActiveState.kind,
  };
}

const commitTo = async (g, state, a, proposals) => m.createCommit({ state, cipherSuite: g.cs, pskIndex: psks }, {
  extraProposals: proposals, wireAsPublicMessage: !!a.public, ratchetTreeExtension: a.tree !== false, authenticatedData: a.aad ?? new Uint8Array(),
  groupInfoExtensions: extensions(a.group_info_extensions),
});

const ops = {
  hello() {
    const { version } = JSON.parse(readFileSync(new URL('./node_modules/ts-mls/package.json', import.meta.url)));
    return { peer: 'ts-mls', version, runtime: `node ${process.version}`, suites: SUITES, ops: Object.keys(ops) };
  },
  async client(a) {
    const cs = await implementation(a.suite ?? 1);
    const keys = a.private_key ? { signKey: a.private_key, publicKey: a.public_key } : await fixes.signatureKeyPair(cs, a.suite ?? 1);
    const credential = a.x509 ? { credentialType: 'x509', certificates: a.x509 } : { credentialType: 'basic', identity: a.identity };
    clients.set(a.client, { cs, keys, credential, packages: [] });
    return { public_key: keys.publicKey };
  },
  async key_package(a) {
    const made = await freshKeyPackage(client(a.client), a);
    return { key_package: encoded({ wireformat: 'mls_key_package', keyPackage: made.publicPackage }) };
  },
  async create(a) {
    const c = client(a.client), made = await freshKeyPackage(c, a);
    keep(a.group, await m.createGroup(a.group_id, made.publicPackage, made.privatePackage, fixes.StandardExtensions.of(extensions(a.group_extensions)), c.cs, config(a)), c);
    return status(a.group);
  },
  async join(a) {
    const c = client(a.client), { welcome } = decoded(a.welcome, 'mls_welcome'), made = await packageFor(c, welcome);
    const resuming = a.resuming ? group(a.resuming).state : undefined;
    const [state, groupInfoExtensions] = await m.joinGroupWithExtensions(welcome, made.publicPackage, made.privatePackage, psks, c.cs, treeOf(a), resuming, config(a));
    keep(a.group, state, c);
    return { ...status(a.group), group_info_extensions: listed(groupInfoExtensions) };
  },
  async external_join(a) {
    const c = client(a.client), made = await freshKeyPackage(c, a), { groupInfo } = decoded(a.group_info, 'mls_group_info');
    const info = a.bare ? groupInfo : fixes.standardGroupInfo(groupInfo);
    const joined = await m.joinGroupExternal(info, made.publicPackage, made.privatePackage, !!a.resync, c.cs, treeOf(a), config(a), a.aad ?? new Uint8Array());
    keep(a.group, joined.newState, c);
    return { commit: encoded({ wireformat: 'mls_public_message', publicMessage: joined.publicMessage }), ...status(a.group) };
  },
  async group_info(a) {
    const g = group(a.group);
    return { group_info: encoded({ wireformat: 'mls_group_info', groupInfo: await fixes.groupInfo(g.state, g.cs, a) }) };
  },
  // From outside: new_member_proposal (an Add of oneself), and a proposal of an external sender.
  async propose_join(a) {
    const c = client(a.client), made = await freshKeyPackage(c, a), { groupInfo } = decoded(a.group_info, 'mls_group_info');
    return { proposal: m.encodeMlsMessage(await m.proposeAddExternal(groupInfo, made.publicPackage, made.privatePackage, c.cs)) };
  },
  async propose_external(a) {
    const c = client(a.client), info = fixes.standardGroupInfo(decoded(a.group_info, 'mls_group_info').groupInfo);
    const p = await proposal({ cs: c.cs }, a.proposal);
    return { proposal: m.encodeMlsMessage(await m.proposeExternal(info, p, c.keys.publicKey, c.keys.signKey, c.cs)) };
  },
  async propose(a) {
    const g = group(a.group);
    const made = await m.createProposal(g.state, !!a.public, await proposal(g, a.proposal), g.cs, a.aad ?? new Uint8Array());
    g.state = fixes.standardState(made.newState);
    return { proposal: m.encodeMlsMessage(made.message), ...status(a.group) };
  },
  // All pending proposals by reference, then a.proposals by value. Nothing changes before `merge`, unless a.merge.
  async commit(a) {
    const g = group(a.group), from = a.without_pending ? { ...g.state, unappliedProposals: {} } : g.state;
    const proposals = [];
    for (const p of a.proposals ?? []) proposals.push(await proposal(g, p));
    const t = now(), made = await commitTo(g, from, a, proposals), ms = now() - t;
    g.pending = fixes.standardState(made.newState);
    const tree = encodeRatchetTree(g.pending.ratchetTree);
    if (a.merge) ops.merge(a);
    return { commit: m.encodeMlsMessage(made.commit), welcome: made.welcome ? encoded({ wireformat: 'mls_welcome', welcome: made.welcome }) : null, tree, ms, ...status(a.group) };
  },
  merge(a) {
    const g = group(a.group);
    if (!g.pending) throw new Refused('nothing is pending');
    Object.assign(g, { state: g.pending, pending: null, updates: new Map() });
    return status(a.group);
  },
  clear_pending(a) { group(a.group).pending = null; return status(a.group); },
  async process(a) {
    const g = group(a.group), before = g.state.groupContext.epoch, t = now();
    const done = await fixes.process(decoded(a.message), g.state, psks, g.cs, g.updates), ms = now() - t;
    g.state = done.newState;
    const application = done.kind === 'applicationMessage', commit = g.state.groupContext.epoch !== before || g.state.groupActiveState.kind === 'removedFromGroup';
    if (!application && commit) { g.pending = null; g.updates.clear(); }
    return {
      kind: application ? 'application' : commit ? 'commit' : 'proposal', data: application ? done.message : null, ms,
      proposals: (done.proposals ?? []).map((p) => p.proposal.proposalType), ...status(a.group),
    };
  },
  async encrypt(a) {
    const g = group(a.group), made = await m.createApplicationMessage(g.state, a.data, g.cs, a.aad ?? new Uint8Array());
    g.state = made.newState;
    return { message: encoded({ wireformat: 'mls_private_message', privateMessage: made.privateMessage }) };
  },
  async export(a) {
    const g = group(a.group);
    return { secret: await m.mlsExporter(g.state.keySchedule.exporterSecret, a.label, a.context ?? new Uint8Array(), a.length ?? 32, g.cs) };
  },
  // RCC.16: signed receipts, see rcc16_receipt.mjs.
  async rcc16_sign(a) { const g = group(a.group); return { message: await rcc16.make(g.state, g.cs, a.aad) }; },
  async rcc16_verify(a) { const g = group(a.group); return rcc16.verify(a.message, g.state, g.cs); },
  status(a) { return status(a.group); },
  tree(a) { return { tree: encodeRatchetTree(group(a.group).state.ratchetTree) }; },
  members(a) {
    const found = [];
    group(a.group).state.ratchetTree.forEach((n, i) => { if (n?.nodeType === 'leaf') found.push([i / 2, n.leaf.credential.identity ?? n.leaf.credential.certificates]); });
    return { members: found };
  },
  psk(a) { externalPsks.set(hex(a.psk_id), a.psk); return {}; },
  forget(a) { for (const name of a.groups ?? []) groups.delete(name); for (const name of a.clients ?? []) clients.delete(name); return {}; },

  async bench_key_packages(a) {
    const cs = await implementation(a.suite ?? 1), made = [], ms = [];
    for (let i = 0; i < a.n; i++) {
      const c = { cs, keys: await fixes.signatureKeyPair(cs, a.suite ?? 1), credential: { credentialType: 'basic', identity: Buffer.from(`${a.name}-${i}`) }, packages: [] };
      const t = now(), bytes = encoded({ wireformat: 'mls_key_package', keyPackage: (await freshKeyPackage(c, a)).publicPackage }); ms.push(now() - t);
      made.push(bytes);
    }
    return { key_packages: made, ms };
  },
  // Empty Commits, one after the other: `ms` from the call to bytes, `merge_ms` to apply (ts-mls has the next state already).
  async bench_commit(a) {
    const g = group(a.group), commits = [], ms = [], merge_ms = [];
    for (let i = 0; i < a.n; i++) {
      const t = now(), made = await commitTo(g, g.state, a, []), bytes = m.encodeMlsMessage(made.commit); ms.push(now() - t);
      g.state = fixes.standardState(made.newState); merge_ms.push(0); commits.push(bytes);
    }
    return { commits, ms, merge_ms };
  },
  async bench_process(a) {
    const g = group(a.group), ms = [];
    for (const bytes of a.messages) {
      const t = now(), done = await fixes.process(decoded(bytes), g.state, psks, g.cs, g.updates); ms.push(now() - t);
      g.state = done.newState;
    }
    return { ms, ...status(a.group) };
  },
  async bench_join(a) {
    const c = client(a.client), made = await packageFor(c, decoded(a.welcome, 'mls_welcome').welcome), ms = [];
    for (let i = 0; i < a.n; i++) {
      const t = now(), state = await m.joinGroup(decoded(a.welcome).welcome, made.publicPackage, made.privatePackage, psks, c.cs, treeOf(a), undefined, config(a)); ms.push(now() - t);
      keep(a.group, state, c);
    }
    return { ms, ...status(a.group) };
  },
  async bench_encrypt(a) {
    const g = group(a.group), data = new Uint8Array(a.size ?? 256).fill(7), messages = [], ms = [];
    for (let i = 0; i < a.n; i++) {
      const t = now(), made = await m.createApplicationMessage(g.state, data, g.cs), bytes = encoded({ wireformat: 'mls_private_message', privateMessage: made.privateMessage }); ms.push(now() - t);
      g.state = made.newState; messages.push(bytes);
    }
    return { messages, ms };
  },
  bench_decrypt: (a) => ops.bench_process(a),
};

// Bytes on the JSON wire. A reviver sees the innermost object first; a replacer must look at the raw value, Buffer has a toJSON.
const revive = (_, v) => v !== null && typeof v === 'object' && typeof v.hex === 'string' ? new Uint8Array(Buffer.from(v.hex, 'hex')) : v;
function replace(key, v) {
  const raw = this[key];
  if (raw instanceof Uint8Array) return { hex: hex(raw) };
  return typeof raw === 'bigint' ? Number(raw) : v;
}
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (!line.trim()) continue;
  const { id, op, ...a } = JSON.parse(line, revive);
  let reply;
  try {
    if (!Object.hasOwn(ops, op)) throw new Refused(`operation ${op}`);
    reply = { id, ok: true, result: await ops[op](a) };
  } catch (e) {
    reply = { id, ok: false, error: { name: e?.name ?? 'Error', message: e?.message ?? String(e) } };
  }
  process.stdout.write(JSON.stringify(reply, replace) + '\n');
}
