"""What is wrong with Netreeve in a live cluster, or will be once it is there: `netreeve doctor`.

`reading` looks once, `checks` judge what was seen (one module each, pure), `report` and the
formats say it. Changes nothing in the cluster; its one request that is no plain read is a
dry run.
"""
