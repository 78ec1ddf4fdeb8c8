// The signed receipts of RCC.16 with ts-mls's keys, tree and cryptography: a PublicMessage with a proposal of type F002 that
// has no body at all. ts-mls reads and writes the body of a custom proposal behind a length, so the frame is built and taken
// apart here; GroupContext, membership key, signature keys, labels and algorithms are ts-mls's.
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js';
import { encodeGroupContext } from 'ts-mls/groupContext.js';
import { varLenDataEncoder, decodeVarLenData } from 'ts-mls/codec/variableLength.js';
import { encode } from 'ts-mls/codec/tlsEncoder.js';

const HEAD = Buffer.from('00010001', 'hex'), RCS_SIGNATURE = Buffer.from('02f002', 'hex');
const opaque = encode(varLenDataEncoder);
const integer = (value, size) => { const b = Buffer.alloc(size); b.writeUIntBE(value, size > 6 ? size - 6 : 0, Math.min(size, 6)); return b; };
const context = (state) => Buffer.from(encodeGroupContext(state.groupContext));
const leafKey = (state, leaf) => state.ratchetTree[2 * leaf].leaf.signaturePublicKey;

/** The MLSMessage that signs `aad` as this member. */
export async function make(state, cs, aad) {
  const { groupId, epoch } = state.groupContext;
  const framed = Buffer.concat([opaque(groupId), integer(Number(epoch), 8), Buffer.from([1]), integer(state.privatePath.leafIndex, 4), opaque(aad), RCS_SIGNATURE]);
  const tbs = Buffer.concat([HEAD, framed, context(state)]);
  const signature = opaque(await signWithLabel(state.signaturePrivateKey, 'FramedContentTBS', tbs, cs.signature));
  const tag = await cs.hash.mac(state.keySchedule.membershipKey, Buffer.concat([tbs, signature]));
  return Buffer.concat([HEAD, framed, signature, opaque(tag)]);
}

/** Who signed it and what: {leaf, aad}; throws if it is not a member's, or tag or signature do not hold. */
export async function verify(message, state, cs) {
  const bytes = Buffer.from(message);
  if (!bytes.subarray(0, 4).equals(HEAD)) throw new Error('no PublicMessage');
  const [groupId, a] = decodeVarLenData(message, 4);
  if (!Buffer.from(groupId).equals(Buffer.from(state.groupContext.groupId))) throw new Error('another group');
  const epoch = bytes.readUIntBE(4 + a + 2, 6), at = 4 + a + 8;
  if (BigInt(epoch) !== state.groupContext.epoch) throw new Error('another epoch');
  if (bytes[at] !== 1) throw new Error('not of a member');
  const leaf = bytes.readUInt32BE(at + 1), [aad, b] = decodeVarLenData(message, at + 5), end = at + 5 + b;
  if (!bytes.subarray(end, end + 3).equals(RCS_SIGNATURE)) throw new Error('no rcs_signature');
  const framed = bytes.subarray(4, end + 3), [signature, c] = decodeVarLenData(message, end + 3), [tag, d] = decodeVarLenData(message, end + 3 + c);
  if (end + 3 + c + d !== bytes.length) throw new Error('trailing bytes');
  const tbs = Buffer.concat([HEAD, framed, context(state)]), auth = bytes.subarray(end + 3, end + 3 + c);
  if (!await cs.hash.verifyMac(state.keySchedule.membershipKey, tag, Buffer.concat([tbs, auth]))) throw new Error('the membership tag does not hold');
  if (!await verifyWithLabel(leafKey(state, leaf), 'FramedContentTBS', tbs, signature, cs.signature)) throw new Error('the signature does not hold');
  return { leaf, aad };
}
