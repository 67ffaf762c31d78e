"""What `netreeve baseline` tells of a namespace, from one look at the live cluster.

The way: `read` (plain lists) -> `cluster` (the pods of workloads, Services) -> `contacts` (who
seems to talk to whom) -> `severed` (what a baseline would end) and `standing` (what is wanted and
what is there) -> `report` -> `table`, `json`. Only `read` asks anybody; nothing in here writes.
"""
