"""Certificates, CA bundles and the webhook configurations that carry them.

Run by `netreeve control` in the process that leads. Needs these rights, all but the last on
objects by name and none outside of its own namespace:

- secrets netreeve-ca, netreeve-tls and netreeve-stamp: get, list, watch, patch; secrets: create,
  for when they are not there.
- validatingwebhookconfigurations and mutatingwebhookconfigurations 00-netreeve
  (admissionregistration.k8s.io): get, list, watch, patch. Never create: one that was deleted stays
  deleted.
- services and endpointslices (discovery.k8s.io): list, watch: where the servers are.
- events (events.k8s.io): create, patch.
"""
