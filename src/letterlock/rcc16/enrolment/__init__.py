"""Getting and keeping a certificate and key packages (rcc16.md 1.8 and 1.9): pure steps over records of the state.

`enrolment.Enrolment(crypto, number, participant, settings)` is one device's. `participant` is a
`ParticipantKey(spki, sign)` on the primary device, None on a linked one. Writes have to be committed before anything
goes out (SR-06).

* `upkeep(state, now, rng) -> Upkeep(writes, requests, next_at)`: whatever is due, as requests of the seam: the leaf key
  is made, a certificate asked for (`RenewCertificate`), a new pool made (`PublishKeyPackages`), the past forgotten. Call
  it on every timer; a request that is not answered comes again later.
* `request(state, proof, now) -> CertificateRequest`: what to send to the KDS for a RenewCertificate; `proof` is the
  ACS's (.5), verbatim. Reads only, so that the edge calls it. InputError before the first `upkeep`.
* `adopt(state, chain, anchors, now) -> Writes`: what came back, checked in full: InvalidRcc16 if it does not hold.
  chain None: it could not be had. Call `upkeep` after it.
* `published(state, request, stored, now) -> Writes`: the answer to PublishKeyPackages.
* `client(state, now) -> Client | None`: the mls client, None without a valid certificate; the same object while nothing
  changes. `authentication(state) -> CertificateAuthentication | None` likewise, also when ours has expired.
* `ready(state, now) -> bool`: a valid certificate and published packages; then the capability may be advertised.
* `bundle_for(state, welcome) -> KeyPackageBundle | None`: ours that a Welcome is for, also one of an earlier pool.
* `used(state, bundle, welcome, now) -> Writes`: it was joined. `unopenable(state, welcome, now) -> Writes`: it was for us
  and could not be. Either may make a new pool due: call `upkeep` after it.
* `leaf_key(state) -> LeafKey | None`: `public` (65 bytes) and `sign`, for signing requests to the KDS.
* `linking`: a linked device gets its ParticipantInformation from the primary: `link_request`, `answer_link`, `adopt_link`.
"""
