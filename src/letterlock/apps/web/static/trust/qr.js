/**
 * A QR code from the daemon's matrix, as one drawing that stays sharp at any size.
 *
 * Always dark on a light plate with four light modules around it, whatever the theme: an inverted code, or one without
 * its quiet zone, is not read by many cameras.
 */

import { svg } from "../base/dom.js";

const QUIET = 4;

/**
 * @param {string[]} rows Rows of "0" and "1", "1" is dark.
 * @param {string} label What it is, for who cannot see it.
 * @returns {SVGElement}
 */
export function qr(rows, label) {
  // The matrix may have brought its own quiet zone.
  const around = Math.max(
    0,
    QUIET -
      Math.max(
        0,
        rows.findIndex((row) => row.includes("1")),
      ),
  );
  const size = rows.length + 2 * around;
  let path = "";
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g))
      path += `M${run.index + around} ${y + around}h${run[0].length}v1h-${run[0].length}z`;
  });
  return svg(
    "svg",
    { viewBox: `0 0 ${size} ${size}`, class: "qr", role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: size, height: size, class: "qr-plate" }),
    svg("path", { d: path, class: "qr-dark" }),
  );
}
