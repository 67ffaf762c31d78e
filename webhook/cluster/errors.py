"""What can go wrong between this process and the API server, in words for an administrator.

Every text names the file or the URL and what to do about it; none holds a credential.
"""

from __future__ import annotations


class ClusterError(Exception):
    """The API server could not be asked, or did not answer as it should."""


class CredentialsError(ClusterError):
    """The file, variable or plugin that says where the API server is cannot be used."""


class UnreachableError(ClusterError):
    """No connection, or no answer in time."""


class ProtocolError(ClusterError):
    """An answer that is no answer of an API server."""


class TooLongError(ProtocolError):
    """An answer of more bytes than its reader can take."""


class RefusedError(ClusterError):
    """An answer that is no success.

    status: the HTTP status. retry_after: the seconds the API server asks to wait, 0 for none.
    reasons: its words for why, those of the causes too (``Conflict``, ``FieldManagerConflict``,
        ``NamespaceTerminating`` ...).
    following: of a list that was read page by page and whose history is gone, the token for its
        rest as it is now; else "".
    """

    def __init__(
        self,
        text: str,
        status: int,
        retry_after: float = 0.0,
        reasons: frozenset[str] = frozenset(),
        following: str = "",
    ) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after
        self.reasons = reasons
        self.following = following


class NotFoundError(RefusedError):
    """404: there is no such object, or no such namespace to create it in."""


class ConflictError(RefusedError):
    """409: it exists already, has changed since it was read, or its fields are another's."""


class ExpiredError(RefusedError):
    """410: the history from this resourceVersion on is gone, everything must be listed again."""
