"""The exposure map: every way in from outside, what stands behind it, and who may talk to whom.

The way: what was read (webhook.audit.baseline.read, or `manifests`) -> `ways` (what opens) and
`matrix` (what the policies of all namespaces allow together) -> `draw` puts them together -> the
map as data (`model`) -> `table`, `json`, and the page of `-o html`.
"""
