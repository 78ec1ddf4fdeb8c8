"""Certificates of RCC.16: what they say, whether to believe it, and how they are made (rcc16.md 1).

* `numbers`: `tel_uri(number)`, `subject_alt_name(number)` (DER), `subject_name(client_id)` (DER), `digits(number)`.
* `algorithms`: the three ECDSA algorithms of the profile; `Sign`, `spki_of(point)`, `key_of(spki)`.
* `participant`: ParticipantInformation (.4): `participant_information(...)`, `decode_participant_information(der)`.
* `proof`: the ACS's word for a participant key (.5): `issue_proof(...)`, `decode_proof(data)`, `check_proof(...)`.
* `anchors`: `TrustAnchors`; the signed list of them: `sign_anchor_list(...)`, `accept_anchor_list(...)`.
* `request`: `CertificateRequest`, what a client asks of the KDS; `check_request(...)` is the KDS's side.
* `issuing`: `Issuer` (a certificate and a callback), `issue_leaf(...)`, `issue_ca(...)`, `issue_root(...)`, `new_serial(rng)`.
* `leaf`: `Leaf`, what a leaf certificate says: `read_leaf(credential)`; short ways to it are `certified_number`,
  `participant_key`, `expires_at` and `lasts_30_days`. They only read; whether it is true, `check_chain` says.
* `checking`: `CredentialPolicy` (`STRICT`, `FOLLOWING`, `TOLERANT`), `check_chain(...)`: all checks in the order of 1.5.
* `authentication`: `CertificateAuthentication`, the `mls.authentication.Authentication` of RCC.16, with a cache.
* `packages`: `check_claimed(...)`: a claimed key package before it is used (1.9).
* `successor`: `check_successor(...)`: a renewed certificate (1.5).

Every check is a numbered rule and raises InvalidRcc16. Bytes that are no certificate raise it too, by a rule of their
own; only the `decode_...` functions raise DecodeError.
"""
