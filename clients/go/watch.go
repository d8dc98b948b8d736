package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	groupv1 "github.com/dinggate/dinggate/clients/go/gen/dinggate/group/v1"
)

// [docs:watch]

const shortestPause, longestPause = 200 * time.Millisecond, 10 * time.Second

// pointless lists the codes that will not change when the same is asked again.
var pointless = map[codes.Code]bool{
	codes.InvalidArgument: true, codes.NotFound: true, codes.PermissionDenied: true, codes.Unauthenticated: true,
	codes.FailedPrecondition: true, codes.Unimplemented: true,
}

// watch hands every item to handle, in order. When the stream ends it goes on behind the last item, until ctx ends or the
// gateway refuses for good. request.ResumeToken is always the place to go on from: keep it, and a restart loses nothing.
func watch(ctx context.Context, conn *grpc.ClientConn, request *groupv1.WatchGroupEventsRequest, handle func(*groupv1.WatchGroupEventsResponse)) error {
	pause := shortestPause
	take := func(item *groupv1.WatchGroupEventsResponse) {
		handle(item)
		request.ResumeToken, pause = item.ResumeToken, shortestPause
	}
	for {
		err := follow(ctx, conn, request, take)
		ended := status.Convert(err)
		if ctx.Err() != nil || pointless[ended.Code()] {
			return err
		}
		info, _ := detail[*errdetails.ErrorInfo](ended)
		if info.GetReason() == "RESUME_TOKEN_EXPIRED" {
			// We were away for longer than the gateway keeps events: that is a gap, too.
			gap := &groupv1.WatchGroupEventsResponse_Gap{Gap: &groupv1.Gap{}}
			take(&groupv1.WatchGroupEventsResponse{Item: gap, ResumeToken: info.Metadata["oldest_token"]})
		}
		retry, _ := detail[*errdetails.RetryInfo](ended)
		wait := retry.GetRetryDelay().AsDuration() + rand.N(pause) // so that not all come back at once
		pause = min(2*pause, longestPause)
		fmt.Fprintf(os.Stderr, "watching again in %s: %s\n", wait, explain(err))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

var errSilent = errors.New("no sign of life from the gateway")

// follow reads one stream to its end. One that misses three checkpoints is dead, whatever its connection looks like.
func follow(ctx context.Context, conn *grpc.ClientConn, request *groupv1.WatchGroupEventsRequest, take func(*groupv1.WatchGroupEventsResponse)) error {
	patience := 3 * request.CheckpointInterval.AsDuration()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer silent.Stop()

	stream, err := groupv1.NewGroupEventServiceClient(conn).WatchGroupEvents(ctx, request)
	for err == nil {
		var item *groupv1.WatchGroupEventsResponse
		if item, err = stream.Recv(); err == nil {
			silent.Stop()
			take(item)
			silent.Reset(patience)
		}
	}
	if context.Cause(ctx) == errSilent {
		return errSilent
	}
	return err
}

// [/docs:watch]

// runWatch prints a line for each item, with a checkpoint after so many silent seconds, from a token on or from now on.
func runWatch(ctx context.Context, conn *grpc.ClientConn, seconds, token string) error {
	interval, err := strconv.Atoi(seconds)
	if err != nil || interval < 1 {
		return usageError{fmt.Errorf("%q is no number of seconds", seconds)}
	}
	return watch(ctx, conn, &groupv1.WatchGroupEventsRequest{
		CheckpointInterval: durationpb.New(time.Duration(interval) * time.Second),
		ResumeToken:        token,
	}, printItem)
}

func printItem(item *groupv1.WatchGroupEventsResponse) {
	line := map[string]string{"item": fieldName(item, "item"), "resumeToken": item.ResumeToken}
	switch {
	case item.GetEvent() != nil:
		event := item.GetEvent()
		line["id"], line["type"] = event.EventId, fieldName(event, "change")
		line["openConversationId"], line["chatId"] = event.Group.GetOpenConversationId(), event.Group.GetChatId()
	case item.GetGap() != nil:
		// Here an application reads anew what it knows of groups.
		line["cause"] = item.GetGap().Cause.String()
	}
	text, _ := json.Marshal(line) // strings always can be
	fmt.Println(string(text))
}

// fieldName tells which field of a oneof is set.
func fieldName(message protoreflect.ProtoMessage, oneof protoreflect.Name) string {
	reflected := message.ProtoReflect()
	field := reflected.WhichOneof(reflected.Descriptor().Oneofs().ByName(oneof))
	if field == nil {
		return "unknown" // newer than our copy of the contract
	}
	return string(field.Name())
}
