"""docs/doctor.md, from the checks' own words: ``python -m webhook.doctor.document``."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from webhook.doctor.checks import checks
from webhook.doctor.finding import About, Check
from webhook.doctor.rescue import rescues

_HEAD = """\
# Doctor

```
netreeve doctor
netreeve doctor --all
netreeve doctor -o json | jq '.findings[] | select(.severity == "error")'
```

Looks once at a live cluster with your own kubeconfig and says what is wrong, why it matters and
what to do. It works before Netreeve is installed, too: then it says whether it could be, and with
`--all` whether the webhooks that are there could lock the cluster up.

It changes nothing. It lists and reads, asks the authorizer what the two service accounts may
(SubjectAccessReview), connects to the servers where it can reach them, and sends one Service that
must be denied as a dry run. Of the Secret `netreeve-tls` it looks at the certificate and skips the
key.

| option | |
|---|---|
| `--kubeconfig FILE`, `--context NAME` | how to reach the cluster, as kubectl finds it by default |
| `--all` | judge the webhooks of others as well |
| `-n`, `--namespace` | where Netreeve is installed; `netreeve` |
| `-o`, `--output` | `table` (the default) or `json` |
| `--fail-on` | `error` (the default) or `warning`: what exit code 1 stands for |

| exit code | |
|---|---|
| 0 | nothing is wrong |
| 1 | there are errors, or warnings with `--fail-on warning` |
| 2 | wrong usage, no API server, or something that may not be read: the rest is checked and reported |

## Severities

| severity | |
|---|---|
| `error` | something does not work, or will not after a power cut |
| `warning` | it may not |
| `info` | good to know; never a reason for an exit code |

## Whether a webhook is called

The doctor decides as the API server does: namespaceSelector, objectSelector, rules with wildcards,
subresources and scope, equivalent resources (`matchPolicy`), and matchConditions. These are
evaluated by the C++ implementation of CEL. What only the API server can evaluate (`authorizer`,
quantities, `find`, addresses) is reported as `rescue-unknown`, never guessed.

## The rescue list

Requests without which a cluster does not come back after everything was off. No webhook that fails
closed and runs as pods of the cluster may be called for them.
"""
_CHECKS = """
## Checks

What each check says when nothing is wrong, and what it can find.
"""
_JSON = """
## Output for programs

`-o json` writes one document. Fields may be added to it; none are removed or change their meaning.

| field | |
|---|---|
| `apiVersion`, `kind` | `netreeve.io/v1alpha1`, `DoctorReport` |
| `namespace`, `installed` | where Netreeve was looked for, and whether anything of it is there |
| `kubernetes` | version of the API server |
| `summary` | number of findings by severity: `error`, `warning`, `info`; `ok`: checks without errors and warnings |
| `findings[]` | the worst first: `id`, `check`, `severity`, `object`, `message`, `why`, `remedy`, `details[]` |
| `checks[]` | every check: `id`, `title`, `severity` of its worst finding (`ok` without any, null if it was not made), `skipped` (why it was not made, else empty) |
| `unreadable[]` | what may not be read: `path`, `message` |
"""
_ABOUT: Mapping[About, str] = {
    "the cluster": "",
    "Netreeve": " Made where Netreeve is installed.",
    "its webhooks": " Made while its webhooks are active.",
    "any webhook": " Of webhooks of others, too, with `--all`.",
}


def text() -> str:
    """The document."""
    titles = dict.fromkeys(one.title for one in rescues(None, {}, {"NAMESPACE": ""}))
    listed = "".join(f"\n- {title}" for title in titles)
    return _HEAD + listed.replace("NAMESPACE", "its namespace") + "\n" + _CHECKS + "".join(
        _check(one) for one in checks()
    ) + _JSON  # fmt: skip


def _check(check: Check) -> str:
    rows = "".join(f"| `{one.id}` | {one.severity.value} | {one.why} |\n" for one in check.kinds)
    about = _ABOUT[check.about]
    title = f"{check.title[0].upper()}{check.title[1:]}."
    head = "| finding | severity | why it matters |\n|---|---|---|\n"
    return f"\n### {check.id}\n\n{title}{about}\n\n{head}{rows}"


if __name__ == "__main__":
    sys.stdout.write(text())
