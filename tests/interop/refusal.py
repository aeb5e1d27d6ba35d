"""What a client is to be told, where it may not have its way."""


def refused(error, call, status, code=None):
    """The call is refused with that exception, status and, where it is said, Azure's code."""
    try:
        call()
    except error as found:
        assert found.status_code == status, f"{found.status_code}, not {status}: {found}"
        assert code is None or f"<Code>{code}</Code>" in str(found) or getattr(found, "error_code", None) == code, f"not {code}: {found}"
        return
    raise AssertionError(f"nothing was refused where {status} was expected")
