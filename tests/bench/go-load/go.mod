module netreeve.io/bench/go-load

go 1.24
