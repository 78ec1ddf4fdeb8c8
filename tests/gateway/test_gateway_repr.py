"""What an admission holds is not shown where it is printed."""

from __future__ import annotations

from letterlock.services.gateway.gateway import EnrolmentBody


def test_sr10_an_admission_shows_neither_token_nor_password() -> None:
    body = EnrolmentBody("urn:uuid:1", "the token", "ana", "the password", "+15550100")
    assert "the token" not in repr(body)
    assert "the password" not in repr(body)
    assert "+15550100" in repr(body)
