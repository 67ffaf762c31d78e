"""What Netreeve costs: requests per second and latency beside a bare handler and a Go webhook."""
