// Where ts-mls 1.6.4 departs from RFC 9420 or lacks something, and what the driver does about it. Nothing else is changed.
//
//  1. external_pub is read and written as a bare HPKE key; section 12.4.3.2 has a struct with a length-prefixed key in it.
//     Written: `groupInfo` below makes the extension itself, and ts-mls signs it. Read: `StandardExtensions.find`.
//  2. external_senders is read as one ExternalSender; section 12.1.8.1 has a vector of them. `StandardExtensions.filter`
//     and `.findIndex` show each sender as an extension of its own, which is how ts-mls counts them. A
//     GroupContextExtensions proposal that sets external_senders stays refused: ts-mls takes it apart before we can.
//  3. P-256 signature keys are made compressed; section 5.1.1 wants the uncompressed point. `signatureKeyPair` re-encodes.
//  4. `processMessage` gives PrivateMessages an empty PSK index, so that a private Commit with a PSK always fails; `process`
//     calls the function below it.
//  5. There is no way to send an Update proposal. `ownUpdate` makes one with ts-mls's own signing, and `process` puts its private
//     key in place when somebody commits it.
//  6. A GroupContextExtensions proposal does not make ts-mls add a path (section 12.4: it must), and if something else makes
//     it add one, it encrypts it under the old extensions. Not repaired: ts-mls can propose extensions, not commit them.
//  7. `validateRatchetTree` wants every parent above an unmerged leaf to list the same unmerged leaves. Section 7.9.2 asks
//     only that the leaf is in each. Not repaired: some valid trees cannot be joined.
import { ECDH } from 'node:crypto';
import * as m from 'ts-mls';
import { createGroupInfo } from 'ts-mls/createCommit.js';
import { signWithLabel } from 'ts-mls/crypto/signature.js';
import { leafNodeTBSEncoder } from 'ts-mls/leafNode.js';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { varLenDataEncoder, decodeVarLenData, decodeVarLenType } from 'ts-mls/codec/variableLength.js';
import { encodeRatchetTree } from 'ts-mls/ratchetTree.js';
import { updateLeafKey } from 'ts-mls/privateKeyPath.js';

const decodeExternalSenders = decodeVarLenType(m.decodeExternalSender);

/** Extensions as they stand on the wire when they are walked, and as ts-mls expects them when they are searched. */
export class StandardExtensions extends Array {
  static get [Symbol.species]() { return Array; }
  static of(extensions) { return Object.assign(new StandardExtensions(), [...extensions]); }
  get #seen() {
    return [...this].flatMap((e) => e.extensionType !== 'external_senders' ? [e]
      : (decodeExternalSenders(e.extensionData, 0)?.[0] ?? []).map((sender) => ({ ...e, extensionData: m.encodeExternalSender(sender) })));
  }
  find(...how) {
    const found = super.find(...how);
    return found?.extensionType === 'external_pub' ? { ...found, extensionData: decodeVarLenData(found.extensionData, 0)[0] } : found;
  }
  filter(...how) { return this.#seen.filter(...how); }
  findIndex(what) { // an index into the senders, for proposeExternal
    return this.#seen.filter((e) => e.extensionType === 'external_senders').findIndex(what);
  }
}

export const standardGroupInfo = (info) => ({
  ...info,
  extensions: StandardExtensions.of(info.extensions),
  groupContext: { ...info.groupContext, extensions: StandardExtensions.of(info.groupContext.extensions) },
});

export const standardState = (state) => state.groupContext.extensions instanceof StandardExtensions ? state
  : { ...state, groupContext: { ...state.groupContext, extensions: StandardExtensions.of(state.groupContext.extensions) } };

/** A GroupInfo for external joiners, with external_pub as the RFC has it; `bare` leaves it as ts-mls writes it. */
export async function groupInfo(state, cs, { tree = true, external_pub = true, bare = false }) {
  const extensions = [];
  if (external_pub) {
    const pair = await cs.hpke.deriveKeyPair(state.keySchedule.externalSecret);
    const key = await cs.hpke.exportPublicKey(pair.publicKey);
    extensions.push({ extensionType: 'external_pub', extensionData: bare ? key : encode(varLenDataEncoder)(key) });
  }
  if (tree) extensions.push({ extensionType: 'ratchet_tree', extensionData: encodeRatchetTree(state.ratchetTree) });
  return createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, cs);
}

export async function signatureKeyPair(cs, suite) {
  const pair = await cs.signature.keygen();
  const curve = { 2: 'prime256v1', 5: 'secp521r1', 7: 'secp384r1' }[suite];
  if (!curve) return pair;
  return { ...pair, publicKey: new Uint8Array(ECDH.convertKey(pair.publicKey, curve, null, null, 'uncompressed')) };
}

/** An Update proposal of our own leaf with a fresh encryption key, and that key's private half. */
export async function ownUpdate(state, cs) {
  const index = state.privatePath.leafIndex;
  const { credential, capabilities, extensions, signaturePublicKey } = state.ratchetTree[2 * index].leaf;
  const pair = await cs.hpke.generateKeyPair();
  const tbs = {
    hpkePublicKey: await cs.hpke.exportPublicKey(pair.publicKey), signaturePublicKey, credential, capabilities,
    leafNodeSource: 'update', extensions, groupId: state.groupContext.groupId, leafIndex: index,
  };
  const signature = await signWithLabel(state.signaturePrivateKey, 'LeafNodeTBS', encode(leafNodeTBSEncoder)(tbs), cs.signature);
  return { proposal: { proposalType: 'update', update: { leafNode: { ...tbs, signature } } }, privateKey: await cs.hpke.exportPrivateKey(pair.privateKey) };
}

/** processMessage with the PSKs for private messages too; `updates` maps a proposed leaf's public key (hex) to its private one. */
export async function process(message, state, psks, cs, updates) {
  const given = standardState({ ...state, privatePath: { ...state.privatePath } });
  let proposals = null;
  const look = (incoming) => {
    if (incoming.kind === 'commit') {
      proposals = incoming.proposals;
      for (const { proposal } of incoming.proposals) {
        const key = proposal.proposalType === 'update' && updates.get(Buffer.from(proposal.update.leafNode.hpkePublicKey).toString('hex'));
        if (key) given.privatePath.privateKeys = updateLeafKey(given.privatePath, key).privateKeys;
      }
    } else proposals = [incoming.proposal];
    return 'accept';
  };
  const result = message.wireformat === 'mls_public_message'
    ? { kind: 'newState', ...await m.processPublicMessage(given, message.publicMessage, psks, cs, look) }
    : await m.processPrivateMessage(given, message.privateMessage, psks, cs, look);
  return { ...result, newState: standardState(result.newState), proposals };
}
