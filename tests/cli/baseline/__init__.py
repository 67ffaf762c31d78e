"""``netreeve baseline`` on a real cluster: show, preview, adopt, remove."""
