"""The loops that write to the cluster: the baseline of namespaces, and `certificates`.

Run by `netreeve control`, in the one process that leads. The baseline needs no more than these
rights (everything is asked with list and watch, and read again with get only where said):

- namespaces: get, list, watch, patch. get once before pods are let go, patch for the status.
- networkpolicies (networking.k8s.io): list, watch, create, patch. Never delete.
- pods: list, watch, patch: to take away the scheduling gate of those that wait.
- events (events.k8s.io): create, patch.
- leases (coordination.k8s.io) in the namespace of the Lease: create, get, patch.
- what the facts come from, list and watch: nodes, services, configmaps, endpointslices
  (discovery.k8s.io), daemonsets (apps), apiservices (apiregistration.k8s.io). Where one of these
  is refused, the facts are without it.
"""
