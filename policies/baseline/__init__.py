"""What a namespace under a baseline gets: from facts about the cluster to NetworkPolicies.

Knows no clock, client or file but the tables in `policies.knowledge`. The way: `views` (objects as
the API server has them) -> `facts` -> `dns`, `cni`, `meshes`, `presets` -> `objects`.
"""
