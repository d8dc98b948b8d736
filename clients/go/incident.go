package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	groupv1 "github.com/dinggate/dinggate/clients/go/gen/dinggate/group/v1"
)

// deadline is the time for each call, waiting for DingTalk's limits included.
const deadline = 5 * time.Second

func user(id string) *groupv1.MemberRef {
	return &groupv1.MemberRef{Id: &groupv1.MemberRef_UserId{UserId: id}}
}

func users(ids []string) []*groupv1.MemberRef {
	refs := make([]*groupv1.MemberRef, len(ids))
	for i, id := range ids {
		refs[i] = user(id)
	}
	return refs
}

// [docs:create]

// openGroup creates a group. Store the whole handle: DingTalk needs both ids, and the gateway cannot always find the
// other.
func openGroup(ctx context.Context, conn *grpc.ClientConn, title, owner string, members ...string) (*groupv1.GroupRef, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var trailer metadata.MD
	reply, err := groupv1.NewGroupServiceClient(conn).CreateGroup(ctx, &groupv1.CreateGroupRequest{
		Title:   title,
		Owner:   user(owner),
		Members: users(members),
		Kind:    &groupv1.CreateGroupRequest_Internal{Internal: &groupv1.InternalGroup{}},
		// One id per intention: whoever repeats the call, the library or you, repeats it with the same id.
		RequestId: uuid.NewString(),
	}, grpc.Trailer(&trailer))
	if err != nil {
		return nil, err
	}
	cost := strings.Join(trailer.Get("x-dinggate-upstream-calls"), "")
	fmt.Printf("created %s: %d members, %s metered call(s)\n", reply.Group.Title, reply.Group.GetMemberCount(), cost)
	return reply.Group.Ref, nil
}

// [/docs:create]

// [docs:add]

// add adds people, and returns the reason for each who could not be added.
func add(ctx context.Context, conn *grpc.ClientConn, group *groupv1.GroupRef, ids ...string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	reply, err := groupv1.NewMemberServiceClient(conn).AddMembers(ctx, &groupv1.AddMembersRequest{
		Group:     group,
		Members:   users(ids),
		RequestId: uuid.NewString(),
	})
	if err != nil {
		return nil, err
	}
	refused := map[string]string{}
	for _, result := range reply.MemberResults {
		fmt.Printf("  %s: %s\n", result.Ref.GetUserId(), result.Outcome)
		if result.Outcome == groupv1.MemberOutcome_MEMBER_OUTCOME_FAILED {
			info, _ := detail[*errdetails.ErrorInfo](status.FromProto(result.Status))
			refused[result.Ref.GetUserId()] = info.GetReason()
		}
	}
	if !reply.Complete {
		fmt.Println("  not everybody is settled: the same call again goes on from here")
	}
	return refused, nil
}

// [/docs:add]

// [docs:sync]

var errGuard = errors.New("too many people would have to go")

// sync makes ids the members. If more than maxRemovals would have to go, nothing changes: the list may be wrong.
func sync(ctx context.Context, conn *grpc.ClientConn, group *groupv1.GroupRef, ids []string, maxRemovals int32) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	reply, err := groupv1.NewMemberServiceClient(conn).SyncMembers(ctx, &groupv1.SyncMembersRequest{
		Group:       group,
		Members:     users(ids),
		Mode:        groupv1.SyncMode_SYNC_MODE_ADD_AND_REMOVE,
		MaxRemovals: &maxRemovals,
		RequestId:   uuid.NewString(),
	})
	if info, ok := detail[*errdetails.ErrorInfo](status.Convert(err)); ok && info.Reason == "REMOVAL_GUARD" {
		return fmt.Errorf("%w: %s, allowed are %s", errGuard, info.Metadata["to_remove"], info.Metadata["max_removals"])
	}
	if err == nil && !reply.Complete {
		err = errors.New("not everybody is settled: the same call again goes on from here")
	}
	return err
}

// [/docs:sync]

// [docs:page]

// memberIDs lists all members, page by page.
func memberIDs(ctx context.Context, conn *grpc.ClientConn, group *groupv1.GroupRef, pageSize int32) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	members := groupv1.NewMemberServiceClient(conn)
	request := &groupv1.ListMembersRequest{Group: group, PageSize: pageSize}
	var ids []string
	for {
		reply, err := members.ListMembers(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, member := range reply.Members {
			ids = append(ids, member.Ref.GetUserId())
		}
		if reply.NextPageToken == "" {
			return ids, nil
		}
		request.PageToken = reply.NextPageToken
	}
}

// [/docs:page]

// [docs:errors]

// detail finds the detail of type T that a status carries. A failed call's status is status.Convert(err).
func detail[T any](s *status.Status) (found T, ok bool) {
	for _, each := range s.Details() {
		if found, ok = each.(T); ok {
			return found, true
		}
	}
	return found, false
}

// explain tells what went wrong. The code says what to do, the reason why, and BadRequest where.
func explain(err error) string {
	failed := status.Convert(err)
	info, ok := detail[*errdetails.ErrorInfo](failed)
	if !ok {
		return err.Error() // not from dinggate: the connection, a proxy, this library
	}
	text := fmt.Sprintf("%s %s: %s", failed.Code(), info.Reason, failed.Message())
	if faults, ok := detail[*errdetails.BadRequest](failed); ok {
		for _, fault := range faults.FieldViolations {
			text += fmt.Sprintf("\n  %s: %s", fault.Field, fault.Description)
		}
	}
	if retry, ok := detail[*errdetails.RetryInfo](failed); ok {
		text += fmt.Sprintf("\n  worth another try in %s", retry.RetryDelay.AsDuration())
	}
	return text
}

// [/docs:errors]

// runExample goes through the life of a group.
func runExample(ctx context.Context, conn *grpc.ClientConn) error {
	title := fmt.Sprintf("Incident %d", rand.IntN(10_000))
	group, err := openGroup(ctx, conn, title, "manager4220", "user001", "user002")
	if err != nil {
		return err
	}
	refused, err := add(ctx, conn, group, "user003", "nobody")
	if err != nil {
		return err
	}
	if len(refused) != 1 || refused["nobody"] != "MEMBER_NOT_FOUND" {
		return fmt.Errorf("refused were %v", refused)
	}

	onCall := []string{"manager4220", "user001", "user004"}
	if err := sync(ctx, conn, group, onCall, 0); !errors.Is(err, errGuard) {
		return fmt.Errorf("the guard let people go: %v", err)
	} else {
		fmt.Println(err)
	}
	if err := sync(ctx, conn, group, onCall, 5); err != nil {
		return err
	}
	members, err := memberIDs(ctx, conn, group, 2)
	if err != nil {
		return err
	}
	slices.Sort(members)
	fmt.Println("members:", strings.Join(members, ", "))
	if !slices.Equal(members, onCall) {
		return fmt.Errorf("the members are %v", members)
	}

	_, err = openGroup(ctx, conn, "A title that is far too long", "manager4220")
	if status.Code(err) != codes.InvalidArgument {
		return fmt.Errorf("a title of 28 characters: %v", err)
	}
	fmt.Println(explain(err))
	return nil
}
