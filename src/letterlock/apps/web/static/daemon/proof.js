// The proof that a request comes from this page: told by the login behind `#`, where nobody else sees it. A cookie goes
// to every port of this computer, so the daemon answers none that comes alone.

const NAME = "letterlock-proof";
let proof = "";

take();

/** What goes with every request as the header `Letterlock-Proof`. Another tab may have logged in since. */
export function currentProof() {
  try {
    return localStorage.getItem(NAME) ?? proof;
  } catch {
    return proof; // a browser that keeps nothing: until the page is loaded again
  }
}

/** From the address, which is then as if it had never been there. */
function take() {
  const [, found = ""] = /^#proof=([0-9a-f]+)$/.exec(location.hash) ?? [];
  if (!found) return;
  proof = found;
  try {
    localStorage.setItem(NAME, found);
  } catch {
    // As above.
  }
  history.replaceState(null, "", location.pathname);
}
