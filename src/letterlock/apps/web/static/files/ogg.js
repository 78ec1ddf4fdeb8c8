/**
 * Opus from WebM into Ogg (RFC 7845): the same packets in another container, nothing is encoded again.
 *
 * A browser records sound into WebM, which everybody else takes for a film, and without a length. Only what
 * MediaRecorder writes is read here; for anything else there is no result, and the WebM goes as it is.
 */

const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  tracks: 0x1654ae6b,
  track: 0xae,
  codec: 0x86,
  head: 0x63a2,
  cluster: 0x1f43b675,
  block: 0xa3,
  group: 0xa0,
  inner: 0xa1,
};
const PARENTS = new Set([ID.segment, ID.tracks, ID.track, ID.cluster, ID.group]);
const SECOND = 48_000; // samples that a page holds at most, unless one packet has more: the specification advises that
const SEGMENTS = 255; // of a page, of 255 bytes each
const SERIAL = 0x6c6c7631;

/** @param {Uint8Array} webm @returns {Uint8Array|null} */
export function oggFromWebm(webm) {
  const packets = [];
  let head = null;
  try {
    for (const { id, data } of elements(webm)) {
      if (id === ID.codec && ascii(data) !== "A_OPUS") return null;
      if (id === ID.head) head = data;
      if (id === ID.block || id === ID.inner) packets.push(packetOf(data));
    }
  } catch {
    return null; // cut off, or written by something that we do not know
  }
  if (!head || ascii(head.subarray(0, 8)) !== "OpusHead" || packets.length === 0) return null;
  return packets.some((packet) => segments(packet) > SEGMENTS) ? null : pages(head, packets);
}

// --- reading -------------------------------------------------------------------------------------------------------
function* elements(bytes) {
  let at = 0;
  while (at < bytes.length) {
    const [id, afterId] = number(bytes, at, true);
    const [size, start] = number(bytes, afterId, false);
    // MediaRecorder does not know how long a segment or a cluster will be; both are read from within.
    if (PARENTS.has(id)) {
      at = start;
      continue;
    }
    if (size === null || start + size > bytes.length) return; // the last one may be cut off
    yield { id, data: bytes.subarray(start, start + size) };
    at = start + size;
  }
}

/** A number of EBML and where it ends; null for "unknown". With `whole` its length marker is part of it. */
function number(bytes, at, whole) {
  const first = bytes[at];
  const length = Math.clz32(first) - 23;
  if (first === undefined || length > 8) throw new RangeError("no EBML");
  let value = whole ? first : first & (0xff >> length);
  let unknown = !whole && value === 0xff >> length;
  for (let more = 1; more < length; more += 1) {
    const byte = bytes[at + more];
    if (byte === undefined) throw new RangeError("cut off");
    unknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return [unknown ? null : value, at + length];
}

/** Behind the number of the track, two bytes of time and one of flags. */
function packetOf(block) {
  const [, at] = number(block, 0, false);
  if ((block[at + 2] & 0x06) !== 0) throw new RangeError("laced");
  return block.subarray(at + 3);
}

const ascii = (bytes) => String.fromCharCode(...bytes);

/** How many samples at 48 kHz a packet holds (RFC 6716, 3.1). */
function samples(packet) {
  const config = packet[0] >> 3;
  const each =
    config < 12
      ? [480, 960, 1920, 2880][config & 3]
      : config < 16
        ? [480, 960][config & 1]
        : [120, 240, 480, 960][config & 3];
  const frames = [1, 2, 2, packet[1] & 0x3f][packet[0] & 3];
  return each * frames;
}

// --- writing -------------------------------------------------------------------------------------------------------
function pages(head, packets) {
  const tags = new Uint8Array([...text("OpusTags"), ...little(10, 4), ...text("Letterlock"), ...little(0, 4)]);
  const out = [page([head], 0, 0, 2), page([tags], 0, 1, 0)];
  let granule = 0;
  const filled = groups(packets);
  for (const [at, some] of filled.entries()) {
    for (const packet of some) granule += samples(packet);
    out.push(page(some, granule, out.length, at === filled.length - 1 ? 4 : 0));
  }
  const whole = new Uint8Array(out.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of out) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/** How many parts of 255 bytes a packet takes in a page; its last one is shorter, if only by having nothing. */
const segments = (packet) => Math.floor(packet.length / 255) + 1;

/**
 * Packets page by page. A recorder may put several frames into one, so that neither their length nor their time is
 * fixed.
 */
function groups(packets) {
  const all = [];
  let room = 0;
  let time = SECOND;
  for (const packet of packets) {
    if (time >= SECOND || room < segments(packet)) {
      all.push([]);
      room = SEGMENTS;
      time = 0;
    }
    all.at(-1).push(packet);
    room -= segments(packet);
    time += samples(packet);
  }
  return all;
}

function page(packets, granule, serial, flags) {
  const lacing = packets.flatMap((packet) => [
    ...new Array(Math.floor(packet.length / 255)).fill(255),
    packet.length % 255,
  ]);
  const header = [
    ...text("OggS"),
    0,
    flags,
    ...little(granule, 8),
    ...little(SERIAL, 4),
    ...little(serial, 4),
    0,
    0,
    0,
    0,
    lacing.length,
    ...lacing,
  ];
  const out = new Uint8Array(header.length + packets.reduce((sum, packet) => sum + packet.length, 0));
  out.set(header);
  let at = header.length;
  for (const packet of packets) {
    out.set(packet, at);
    at += packet.length;
  }
  out.set(little(checksum(out), 4), 22);
  return out;
}

const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
const little = (value, bytes) => Array.from({ length: bytes }, (_, at) => Math.floor(value / 256 ** at) % 256);

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 0x80000000 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
  return sum >>> 0;
});

function checksum(bytes) {
  let sum = 0;
  for (const byte of bytes) sum = ((sum << 8) ^ TABLE[(sum >>> 24) ^ byte]) >>> 0;
  return sum;
}
