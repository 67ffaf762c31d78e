"""Exemptions: what an annotation claims, who may grant it, and the stamp that proves it.

Pure: time, keys and answers about rights are arguments. Knows no gate and no wire format; that a
claim is honoured, and what follows, is decided in `webhook.admission`.
"""
