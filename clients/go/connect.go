package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// [docs:service-config]

// serviceConfig balances over all addresses of the name, and repeats calls that ended UNAVAILABLE. No other code may be
// listed here. A connection that breaks under a call ends it as UNAVAILABLE, too: a write needs a request_id.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [
      {"service": "dinggate.group.v1.GroupService"},
      {"service": "dinggate.group.v1.MemberService"}
    ],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.2s",
      "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// [/docs:service-config]

// settings say where the gateway is, whom to trust and who we are.
type settings struct {
	addr, ca, cert, key, tokenFile string
}

func settingsFromEnvironment() (settings, error) {
	s := settings{
		addr:      os.Getenv("DINGGATE_ADDR"),
		ca:        os.Getenv("DINGGATE_CA"),
		cert:      os.Getenv("DINGGATE_CERT"),
		key:       os.Getenv("DINGGATE_KEY"),
		tokenFile: os.Getenv("DINGGATE_TOKEN_FILE"),
	}
	switch {
	case s.addr == "":
		return s, errors.New("DINGGATE_ADDR is not set: the host:port of the gateway")
	case (s.cert == "") != (s.key == ""):
		return s, errors.New("DINGGATE_CERT and DINGGATE_KEY go together")
	case s.ca == "" && (s.cert != "" || s.tokenFile != ""):
		return s, errors.New("a certificate or a token is sent over TLS only: set DINGGATE_CA")
	}
	return s, nil
}

// [docs:connect]

// alive notices a connection that nobody answers on any more, such as after the loss of a node, while calls are open.
var alive = grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second})

// tokenFile reads the token for every call: Kubernetes replaces the file before the token expires.
type tokenFile string

func (path tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := os.ReadFile(string(path))
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(token))}, nil
}

func (tokenFile) RequireTransportSecurity() bool { return true }

// connectTLS trusts what `ca` vouches for; cert and key (mTLS) or tokenFile say who we are.
func connectTLS(s settings, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", s.ca)
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	options = append(options, alive, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if s.tokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(tokenFile(s.tokenFile)))
	}
	return grpc.NewClient("dns:///"+s.addr, options...)
}

// [/docs:connect]

// connect makes the one connection of the program: it is safe for concurrent use, and it reconnects by itself.
func connect(s settings, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if s.ca != "" {
		return connectTLS(s, options...)
	}
	options = append(options, alive, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return grpc.NewClient("dns:///"+s.addr, options...)
}
