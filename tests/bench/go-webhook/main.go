// A minimal validating webhook on net/http, which Netreeve's benchmark is compared with.
//
// It does what every webhook does before it can judge anything: decode the review, and the objects
// in it as unstructured values, since it does not know their kinds. Then it allows everything.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"time"
)

const maxBody = 7 << 20

var errNoRequest = errors.New("the review has no request")

type admissionReview struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Request    *admissionRequest  `json:"request,omitempty"`
	Response   *admissionResponse `json:"response,omitempty"`
}

type admissionRequest struct {
	UID         string           `json:"uid"`
	Kind        groupVersionKind `json:"kind"`
	Resource    groupVersionKind `json:"resource"`
	SubResource string           `json:"subResource"`
	Name        string           `json:"name"`
	Namespace   string           `json:"namespace"`
	Operation   string           `json:"operation"`
	UserInfo    userInfo         `json:"userInfo"`
	Object      json.RawMessage  `json:"object"`
	OldObject   json.RawMessage  `json:"oldObject"`
	DryRun      bool             `json:"dryRun"`
	Options     json.RawMessage  `json:"options"`
}

type groupVersionKind struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Kind     string `json:"kind"`
	Resource string `json:"resource"`
}

type userInfo struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

type admissionResponse struct {
	UID     string `json:"uid"`
	Allowed bool   `json:"allowed"`
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "host:port")
	cert := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "key file")
	flag.Parse()

	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on https://%s\n", listener.Addr())
	server := &http.Server{
		Handler:           http.HandlerFunc(review),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	log.Fatal(server.ServeTLS(listener, *cert, *key))
}

func review(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	request, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := json.Marshal(admissionReview{
		APIVersion: "admission.k8s.io/v1",
		Kind:       "AdmissionReview",
		Response:   &admissionResponse{UID: request.UID, Allowed: true},
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the client is gone where this fails
}

// decode reads the review and both of its objects; what is in them is not looked at.
func decode(body io.Reader) (*admissionRequest, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	var asked admissionReview
	if err := json.Unmarshal(content, &asked); err != nil {
		return nil, err
	}
	if asked.Request == nil {
		return nil, errNoRequest
	}
	for _, raw := range []json.RawMessage{asked.Request.Object, asked.Request.OldObject} {
		if len(raw) == 0 {
			continue
		}
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, err
		}
	}
	return asked.Request, nil
}
