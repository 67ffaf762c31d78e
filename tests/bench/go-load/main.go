// The load generator for machines without wrk: one body, sent over and over on a number of
// keep-alive TLS connections, each of which waits for its answer before it asks again.
//
// Prints one line of JSON, the same as wrk.lua does.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

const timeout = 10 * time.Second

// measured is what one run saw; times in seconds.
type measured struct {
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
}

// client is one connection and what it saw; a failure ends it.
type client struct {
	latencies []time.Duration
	failure   error
}

func main() {
	target := flag.String("url", "", "https://host:port/path")
	body := flag.String("body", "", "file to send")
	connections := flag.Int("connections", 8, "how many connections")
	duration := flag.Duration("duration", time.Second, "how long")
	flag.Parse()

	runtime.GOMAXPROCS(1)
	address, err := url.Parse(*target)
	if err != nil {
		log.Fatal(err)
	}
	content, err := os.ReadFile(*body)
	if err != nil {
		log.Fatal(err)
	}
	clients := make([]client, *connections)
	begin := time.Now()
	var running sync.WaitGroup
	for index := range clients {
		running.Add(1)
		go func() {
			defer running.Done()
			clients[index].run(address.Host, request(address, content), begin.Add(*duration))
		}()
	}
	running.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(summary(clients, time.Since(begin))); err != nil {
		log.Fatal(err)
	}
}

// request is what goes over the wire, written once.
func request(address *url.URL, content []byte) []byte {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "POST %s HTTP/1.1\r\nHost: %s\r\n", address.RequestURI(), address.Host)
	fmt.Fprintf(&raw, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(content))
	raw.Write(content)
	return raw.Bytes()
}

func (c *client) run(host string, request []byte, end time.Time) {
	// The checks of the benchmark verify the certificate; here it is only speed, as with wrk.
	connection, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		c.failure = err
		return
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for now := time.Now(); now.Before(end); {
		if c.failure = ask(connection, reader, request, now); c.failure != nil {
			return
		}
		answered := time.Now()
		c.latencies = append(c.latencies, answered.Sub(now))
		now = answered
	}
}

func ask(connection *tls.Conn, reader *bufio.Reader, request []byte, now time.Time) error {
	if err := connection.SetDeadline(now.Add(timeout)); err != nil {
		return err
	}
	if _, err := connection.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

func summary(clients []client, took time.Duration) measured {
	result := measured{Seconds: took.Seconds()}
	var all []time.Duration
	for _, c := range clients {
		all = append(all, c.latencies...)
		if c.failure != nil {
			log.Print(c.failure)
			result.Failures++
		}
	}
	slices.Sort(all)
	result.Requests = len(all)
	if len(all) > 0 {
		result.P50 = all[len(all)/2].Seconds()
		result.P99 = all[len(all)*99/100].Seconds()
	}
	return result
}
