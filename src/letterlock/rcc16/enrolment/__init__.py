"""Getting and keeping a certificate and key packages (rcc16.md 1.8 and 1.9): pure steps over records of the state.

`Enrolment(crypto, number, participant, settings)` is one device's. `participant` is a `ParticipantKey(spki, sign)` on
the primary device, None on a linked one. What its methods return as `Writes` has to be committed before anything goes
out (SR-06).

* `prepare(state, now, rng) -> Writes`: the leaf key, made once, and the client id. Nothing if there is one.
* `request(state, proof, now) -> CertificateRequest`: for the KDS (`transport/kds.py`); `proof` is the ACS's (.5), verbatim.
* `adopt(state, chain, anchors, now, rng) -> Writes`: a chain that came back, checked in full; InvalidRcc16 if it does not hold.
* `failed(state, now) -> Writes`: it could not be had; `due` asks again later.
* `client(state, now) -> Client | None`: the mls client, None without a valid certificate.
* `authentication(state) -> CertificateAuthentication | None`: by the adopted anchors; the same object while they stay.
* `ready(state, now) -> bool`: a valid certificate and published packages; then the capability may be advertised.
* `due(state, now) -> Due(certificate, packages, next_at)`: what to ask for now, and when to look again.
* `new_pool(state, now, rng) -> Pool(writes, packages)`: 11 messages to publish, the last one of last resort.
* `published(state, stored, now) -> Writes`: what the KDS said to that.
* `bundle_for(state, welcome) -> KeyPackageBundle | None`: ours that a Welcome is for, also one of an earlier pool.
* `used(state, bundle, welcome, now) -> Writes`: it was joined. `unopenable(state, now) -> Writes`: it could not be.
* `housekeeping(state, now) -> Writes`: forgets what is past its time.
* `link_request(state)`, `answer_link(...)`, `adopt_link(...)`: a linked device gets its ParticipantInformation from the primary.
"""
