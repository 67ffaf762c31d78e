module netreeve.io/bench/go-webhook

go 1.24
