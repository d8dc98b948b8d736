package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/google/uuid"
	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/dinggate/dinggate/clients/go/gen/dinggate/admin/v1" // known by name
)

// vector is a request and what has to come of it; ../CONTRACT.md says how to read the file.
type vector struct {
	Name    string
	Prepare []struct {
		Path string
		Body any
	}
	RPC      string
	Metadata map[string]string
	Request  map[string]any
	Code     string
	Reply    map[string]any
	Details  []any
	Trailers map[string]any
	Save     map[string]string
}

// outcome is what came of it, as JSON would have it.
type outcome struct {
	code     string
	reply    map[string]any
	details  []any
	trailers map[string]any
}

func runVectors(ctx context.Context, conn *grpc.ClientConn, simulator, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var content struct {
		About   string
		Vectors []vector
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&content); err != nil {
		return err
	}
	variables := variables{}
	failed := 0
	for _, v := range content.Vectors {
		if faults := v.run(ctx, conn, simulator, variables); len(faults) > 0 {
			failed++
			fmt.Printf("not ok %s: %s\n", v.Name, strings.Join(faults, "; "))
		} else {
			fmt.Println("ok", v.Name)
		}
	}
	if failed > 0 || len(content.Vectors) == 0 {
		return fmt.Errorf("%d of %d vectors failed", failed, len(content.Vectors))
	}
	return nil
}

// run tells what is not as it should be.
func (v vector) run(ctx context.Context, conn *grpc.ClientConn, simulator string, known variables) []string {
	for _, step := range v.Prepare {
		if err := post(simulator+step.Path, step.Body); err != nil {
			return []string{err.Error()}
		}
	}
	actual, err := v.call(ctx, conn, known)
	if err != nil {
		return []string{err.Error()}
	}
	wanted := v.Code
	if wanted == "" {
		wanted = "OK"
	}
	if actual.code != wanted {
		return []string{fmt.Sprintf("code %s instead of %s", actual.code, wanted)}
	}
	for name, path := range v.Save {
		if err := known.save(name, actual.reply, path); err != nil {
			return []string{err.Error()}
		}
	}
	faults := known.differences(v.Reply, actual.reply, "reply")
	faults = append(faults, known.differences(v.Trailers, actual.trailers, "trailers")...)
	for _, detail := range v.Details {
		if !known.anyMatches(detail, actual.details) {
			faults = append(faults, fmt.Sprintf("no detail matches %v in %v", detail, actual.details))
		}
	}
	return faults
}

func (v vector) call(ctx context.Context, conn *grpc.ClientConn, known variables) (outcome, error) {
	request, reply, err := messages(v.RPC)
	if err != nil {
		return outcome{}, err
	}
	filled, err := known.fill(v.Request)
	if err != nil {
		return outcome{}, err
	}
	text, err := json.Marshal(filled)
	if err != nil {
		return outcome{}, err
	}
	if err := protojson.Unmarshal(text, request); err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, metadata.New(v.Metadata)), callDeadline)
	defer cancel()
	var trailer metadata.MD
	failure := conn.Invoke(ctx, "/"+v.RPC, request, reply, grpc.Trailer(&trailer))
	result := outcome{code: codeName(status.Code(failure)), trailers: map[string]any{}}
	for key, values := range trailer {
		result.trailers[key] = values[0]
	}
	if failure == nil {
		err = convert(reply, &result.reply)
		return result, err
	}
	failed := status.Convert(failure)
	// grpc-go takes code and message from the details if there are any, so this looks at what travelled beside them.
	if len(failed.Details()) == 0 || failed.Message() == "" {
		return result, fmt.Errorf("no details or no message: %w", failure)
	}
	for _, each := range failed.Proto().Details {
		var detail any
		if err := convert(each, &detail); err != nil {
			return result, err
		}
		result.details = append(result.details, detail)
	}
	return result, nil
}

// messages makes an empty request and an empty reply of a generated method.
func messages(rpc string) (request, reply proto.Message, err error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.Replace(rpc, "/", ".", 1)))
	if err != nil {
		return nil, nil, err
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, nil, fmt.Errorf("%s is no method", rpc)
	}
	input, err := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
	if err != nil {
		return nil, nil, err
	}
	output, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return nil, nil, err
	}
	return input.New().Interface(), output.New().Interface(), nil
}

// convert turns a message into what its JSON says.
func convert(message proto.Message, into any) error {
	text, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// codeName spells a code as the protocol does: grpc-go says `InvalidArgument` and `Canceled`.
func codeName(code codes.Code) string {
	return rpccode.Code(code).String()
}

// variables are what earlier replies had, and random ids.
type variables map[string]any

func (known variables) save(name string, reply any, path string) error {
	for key := range strings.SplitSeq(path, ".") {
		object, _ := reply.(map[string]any)
		next, ok := object[key]
		if !ok {
			return fmt.Errorf("the reply has no %s", path)
		}
		reply = next
	}
	known[name] = reply
	return nil
}

// fill puts the variables in place of their names.
func (known variables) fill(value any) (any, error) {
	var wrong error
	switch value := value.(type) {
	case map[string]any:
		filled := map[string]any{}
		for key, item := range value {
			var err error
			filled[key], err = known.fill(item)
			wrong = errors.Join(wrong, err)
		}
		return filled, wrong
	case []any:
		filled := make([]any, len(value))
		for i, item := range value {
			var err error
			filled[i], err = known.fill(item)
			wrong = errors.Join(wrong, err)
		}
		return filled, wrong
	case string:
		name, is := strings.CutPrefix(value, "$")
		if !is {
			return value, nil
		}
		if _, saved := known[name]; !saved {
			if !strings.HasPrefix(name, "uuid") {
				return nil, fmt.Errorf("no variable %s", value)
			}
			known[name] = uuid.NewString()
		}
		return known[name], nil
	}
	return value, nil
}

func (known variables) anyMatches(wanted any, all []any) bool {
	for _, actual := range all {
		if len(known.differences(wanted, actual, "")) == 0 {
			return true
		}
	}
	return false
}

// differences has a sentence for each place where actual does not match.
func (known variables) differences(wanted, actual any, place string) []string {
	filled, err := known.fill(wanted)
	if err != nil {
		return []string{err.Error()}
	}
	return differences(filled, actual, place)
}

func differences(wanted, actual any, place string) []string {
	fault := []string{fmt.Sprintf("%s is %v, wanted %v", place, actual, wanted)}
	absent := actual == nil || actual == ""
	switch wanted := wanted.(type) {
	case nil:
		if absent {
			return nil
		}
		return fault
	case map[string]any:
		object, ok := actual.(map[string]any)
		if !ok {
			return fault
		}
		var faults []string
		for key, item := range wanted {
			faults = append(faults, differences(item, object[key], place+"."+key)...)
		}
		return faults
	case []any:
		list, _ := actual.([]any)
		if len(list) != len(wanted) {
			return fault
		}
		var faults []string
		for i, item := range wanted {
			faults = append(faults, differences(item, list[i], fmt.Sprintf("%s[%d]", place, i))...)
		}
		return faults
	}
	switch {
	case wanted == "*" && !absent, actual == nil && reflect.ValueOf(wanted).IsZero(), reflect.DeepEqual(wanted, actual):
		return nil
	}
	return fault
}
