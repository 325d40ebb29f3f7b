"""Certificates: custom ones can be made and read, with their keys in clear as NPM has it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from proxysync.sandbox.auth import Access, now
from proxysync.sandbox.errors import ApiError, internal_error
from proxysync.sandbox.hosts import refuse_certificate
from proxysync.sandbox.nginx import CertificateFiles
from proxysync.sandbox.rows import SERVED_KINDS, Row, Store, matching, shown
from proxysync.sandbox.tls import BadPemError, facts, local_time, looks_like_key, server_context


class Certificates:
    """The certificates of one NPM."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.certificates

    def all(self, access: Access, expand: Sequence[str], query: str | None) -> list[Row]:
        """The certificates, by nice name."""
        rows = [row for row in self._table.live() if access.sees(row)]
        found = matching(rows, query, lambda row: str(row["nice_name"]))
        return [self._shown(row, expand) for row in sorted(found, key=lambda r: r["nice_name"])]

    def get(self, access: Access, row_id: int | None, expand: Sequence[str] = ()) -> Row:
        """One certificate."""
        return self._shown(self._table.visible(access, row_id), expand)

    def create(self, access: Access, body: Mapping[str, Any]) -> Row:
        """An empty custom certificate; Let's Encrypt is out of reach and fails."""
        if body["provider"] == "letsencrypt":
            if not body.get("domain_names"):
                raise internal_error()
            refuse_certificate(self._store, body["domain_names"])
        row = self._table.insert(access.user_id, columns(body.get("nice_name", ""), [], now()))
        row["meta"] = dict(body.get("meta", {}))
        self._store.log(access, "created", "certificate", row["id"], dict(body))
        return shown(row)

    def examine(self, files: Mapping[str, str]) -> Row:
        """What uploaded files say; whether they belong together is not looked at.

        Raises ApiError for a file that is not what it should be.
        """
        found: Row = {}
        for name in ("certificate", "certificate_key", "intermediate_certificate"):
            if name in files:
                key = name == "certificate_key"
                found[name] = _examined_key(files[name]) if key else self._facts(files[name])
        return found

    def upload(self, access: Access, row_id: int | None, files: Mapping[str, str]) -> Row:
        """Puts files in place, which nginx does not load yet, and returns them, key and all."""
        row = self._table.visible(access, row_id)
        self.examine(files)
        if "certificate" not in files:
            raise ApiError(400, "Certificate file was not provided")
        said = facts(files["certificate"])
        row["meta"] = {**row["meta"], **{name: files[name] for name in _PARTS if name in files}}
        names = {"domain_names": [said.name], "expires_on": local_time(said.ends)}
        self._table.patch(row, names)
        self._store.nginx.certificates[row["id"]] = _loaded(row)
        self._log(access, "updated", row)
        return dict(row["meta"])

    def _facts(self, text: str) -> Row:
        try:
            said = facts(text)
        except BadPemError as error:
            if not self._store.behaviour.reads_bad_pem:
                raise internal_error() from None
            raise ApiError(400, f"Certificate is not valid ({error})") from None
        if said.ends < time.time():
            if not self._store.behaviour.reads_bad_pem:
                raise internal_error()
            raise ApiError(400, "Certificate is not valid (Certificate has expired)")
        dates = {"from": said.starts, "to": said.ends}
        return {"cn": said.name, "issuer": said.issuer, "dates": dates}

    def _log(self, access: Access, action: str, row: Row) -> None:
        self._store.log(access, action, "certificate", row["id"], shown(row, "meta"))

    def delete(self, access: Access, row_id: int | None) -> bool:
        """Deletes the row; the files stay, so hosts serve on until they are written again."""
        row = self._table.visible(access, row_id)
        row["is_deleted"] = True
        self._log(access, "deleted", row)
        return True

    def _shown(self, row: Row, expand: Sequence[str]) -> Row:
        answer = shown(row)
        if "owner" in expand:
            answer["owner"] = self._store.owner(row["owner_user_id"])
        for kind in SERVED_KINDS:
            if kind.resource in expand:
                hosts = self._store.hosts[kind.table].live()
                using = [shown(host) for host in hosts if host["certificate_id"] == row["id"]]
                answer[kind.resource] = using
        return answer


_PARTS = ("certificate", "certificate_key", "intermediate_certificate")


def _examined_key(text: str) -> bool:
    if not looks_like_key(text):
        raise ApiError(400, "Certificate Key is not valid ()")
    return True


def _loaded(row: Row) -> CertificateFiles:
    folder, meta = f"/data/custom_ssl/npm-{row['id']}", row["meta"]
    if "certificate_key" not in meta:
        text = f'cannot load certificate key "{folder}/privkey.pem": BIO_new_file() failed'
        return CertificateFiles(refusal=text)
    chain = meta["certificate"] + meta.get("intermediate_certificate", "")
    try:
        return CertificateFiles(server_context(chain, meta["certificate_key"]))
    except BadPemError as error:
        text = f'SSL_CTX_use_PrivateKey("{folder}/privkey.pem") failed (SSL: error: {error})'
        return CertificateFiles(refusal=text)


def columns(nice_name: str, domain_names: Sequence[str], expires_on: str) -> dict[str, Any]:
    """The columns of a custom certificate."""
    return {
        "provider": "other",
        "nice_name": nice_name,
        "domain_names": list(domain_names),
        "expires_on": expires_on,
        "meta": {},
    }
