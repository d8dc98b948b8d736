package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	groupv1 "github.com/dinggate/dinggate/clients/go/gen/dinggate/group/v1"
)

const (
	read         = "group.get_legacy"
	callDeadline = 10 * time.Second
	patience     = 30 * time.Second
	prompt       = 3 * time.Second
)

// gateway is what a check has at hand.
type gateway struct {
	conn      *grpc.ClientConn
	simulator string
}

// checks has what a client library must be able to do with the gateway: ../CONTRACT.md has the list.
var checks = map[string]func(context.Context, gateway) error{
	"health":   checkHealth,
	"stream":   checkStream,
	"deadline": checkDeadline,
	"cancel":   checkCancel,
	"retry":    checkRetry,
	"late":     checkLate,
	"restart":  checkRestart,
}

func runCheck(ctx context.Context, conn *grpc.ClientConn, simulator, name string) error {
	check, known := checks[name]
	if !known {
		return usageError{fmt.Errorf("no check %q", name)}
	}
	if err := check(ctx, gateway{conn, simulator}); err != nil {
		fmt.Printf("not ok %s: %v\n", name, err)
		return err
	}
	fmt.Println("ok", name)
	return nil
}

func (g gateway) create(ctx context.Context, patience time.Duration, options ...grpc.CallOption) (*groupv1.GroupRef, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := groupv1.NewGroupServiceClient(g.conn).CreateGroup(ctx, &groupv1.CreateGroupRequest{
		Title:     "Check",
		Owner:     user("manager4220"),
		Kind:      &groupv1.CreateGroupRequest_Internal{Internal: &groupv1.InternalGroup{}},
		RequestId: uuid.NewString(),
	}, options...)
	return reply.GetGroup().GetRef(), err
}

// read reads the group, past the gateway's memory.
func (g gateway) read(ctx context.Context, group *groupv1.GroupRef) error {
	request := &groupv1.GetGroupRequest{Group: group, MaxStaleness: &durationpb.Duration{}}
	_, err := groupv1.NewGroupServiceClient(g.conn).GetGroup(ctx, request)
	return err
}

// plan makes the next reads fail.
func (g gateway) plan(times int, fault map[string]any) error {
	return post(g.simulator+"/_sim/faults", map[string]any{"operation": read, "times": times, "fault": fault})
}

// reads tells how often DingTalk has been asked for a group.
func (g gateway) reads() (int, error) {
	answer, err := http.Get(g.simulator + "/_sim/calls?operation=" + read)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var calls []json.RawMessage
	err = json.NewDecoder(answer.Body).Decode(&calls)
	return len(calls), err
}

func post(url string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answer, err := http.Post(url, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}

func expectCode(err error, wanted codes.Code) error {
	if status.Code(err) != wanted {
		return fmt.Errorf("the call ended as %v: %w", status.Code(err), err)
	}
	return nil
}

func checkHealth(ctx context.Context, g gateway) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	health := healthpb.NewHealthClient(g.conn)
	for _, service := range []string{"", "dinggate.group.v1.GroupService"} {
		reply, err := health.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return err
		}
		if reply.Status != healthpb.HealthCheckResponse_SERVING {
			return fmt.Errorf("%q has status %s", service, reply.Status)
		}
	}
	_, err := health.Check(ctx, &healthpb.HealthCheckRequest{Service: "no.such.Service"})
	return expectCode(err, codes.NotFound)
}

func checkStream(ctx context.Context, g gateway) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	watch, err := healthpb.NewHealthClient(g.conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return err
	}
	reply, err := watch.Recv()
	if err != nil {
		return err
	}
	if reply.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("the status is %s", reply.Status)
	}
	cancel()
	for err == nil {
		_, err = watch.Recv() // what had come before
	}
	return expectCode(err, codes.Canceled)
}

// hang creates a group that cannot be read: DingTalk will not answer.
func (g gateway) hang(ctx context.Context) (*groupv1.GroupRef, error) {
	group, err := g.create(ctx, callDeadline)
	if err != nil {
		return nil, err
	}
	return group, g.plan(1, map[string]any{"kind": "hang"})
}

func checkDeadline(ctx context.Context, g gateway) error {
	group, err := g.hang(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := expectCode(g.read(ctx, group), codes.DeadlineExceeded); err != nil {
		return err
	}
	if time.Since(started) > prompt {
		return errors.New("the call took far longer than its deadline")
	}
	return nil
}

func checkCancel(ctx context.Context, g gateway) error {
	group, err := g.hang(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- g.read(ctx, group) }()
	for giveUp := time.Now().Add(patience); ; {
		reads, err := g.reads()
		if err != nil {
			return err
		}
		if reads > 0 {
			break
		}
		if time.Now().After(giveUp) {
			return errors.New("the call never reached DingTalk")
		}
	}
	cancel()
	select {
	case err := <-ended:
		return expectCode(err, codes.Canceled)
	case <-time.After(prompt):
		return errors.New("the call went on")
	}
}

func checkRetry(ctx context.Context, g gateway) error {
	group, err := g.create(ctx, callDeadline)
	if err != nil {
		return err
	}
	if err := g.plan(2, map[string]any{"kind": "html", "status": 503}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	if err := g.read(ctx, group); err != nil {
		return err
	}
	reads, err := g.reads()
	if err == nil && reads != 3 {
		err = fmt.Errorf("DingTalk was asked %d times", reads)
	}
	return err
}

func checkLate(ctx context.Context, g gateway) error {
	fmt.Println("calling")
	_, err := g.create(ctx, patience, grpc.WaitForReady(true))
	return err
}

func checkRestart(ctx context.Context, g gateway) error {
	if _, err := g.create(ctx, callDeadline); err != nil {
		return err
	}
	fmt.Println("called")
	bufio.NewScanner(os.Stdin).Scan()
	_, err := g.create(ctx, patience, grpc.WaitForReady(true))
	return err
}

// probe tells the code, and the reason if there is one, of a call that changes nothing.
func probe(ctx context.Context, conn *grpc.ClientConn) string {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	_, err := groupv1.NewGroupServiceClient(conn).CreateGroup(ctx, &groupv1.CreateGroupRequest{
		Title:        "Probe",
		Owner:        user("manager4220"),
		Kind:         &groupv1.CreateGroupRequest_Internal{Internal: &groupv1.InternalGroup{}},
		ValidateOnly: true,
	})
	code := codeName(status.Code(err))
	if info, ok := detail[*errdetails.ErrorInfo](status.Convert(err)); ok {
		return code + " " + info.Reason
	}
	return code
}
