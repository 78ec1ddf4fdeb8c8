/**
 * What a file is by its first bytes, before it is sent: a program that is called a picture is told of while one can
 * still take it out. The daemon looks more closely, and what it finds goes to the receiver (SR-14).
 */

export const PROGRAM = "application/x-executable";

const STARTS = [
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
  ["application/pdf", [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ["application/zip", [0x50, 0x4b, 0x03, 0x04]],
  [PROGRAM, [0x4d, 0x5a]],
  [PROGRAM, [0x7f, 0x45, 0x4c, 0x46]],
  [PROGRAM, [0x23, 0x21]],
];
const ALWAYS_TOLD = new Set(["image/jpeg", "image/png", "image/gif", "application/pdf"]);

/**
 * What a file is, where that is not what its name and type say; null where they agree or nobody can tell.
 * @param {File} file
 * @returns {Promise<{said: string, is: string|null}|null>}
 */
export async function disagreement(file) {
  const said = file.type.split(";")[0].toLowerCase();
  if (!said) return null;
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  const is = STARTS.find(([, start]) => start.every((byte, at) => head[at] === byte))?.[0] ?? null;
  if (is === said || (is === null && !ALWAYS_TOLD.has(said))) return null;
  // Office documents, applications and books are archives; scripts are text.
  if (is === "application/zip" && said.startsWith("application/")) return null;
  if (is === PROGRAM && /^(?:text\/|application\/x-)/.test(said)) return null;
  return { said, is };
}
