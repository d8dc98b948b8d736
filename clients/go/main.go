// How a Go service calls dinggate: the example application in incident.go, and what ../CONTRACT.md asks for around it.
package main

//go:generate buf generate

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
)

const usage = "dinggate-example example | watch SECONDS [TOKEN] | vectors FILE | check NAME | probe | trace: see ../CONTRACT.md"

type usageError struct{ error }

func run(ctx context.Context, arguments []string) error {
	s, err := settingsFromEnvironment()
	if err != nil {
		return usageError{err}
	}
	simulator := os.Getenv("DINGGATE_SIMULATOR")
	if len(arguments) == 0 {
		return usageError{fmt.Errorf(usage)}
	}
	command, arguments := arguments[0], arguments[1:]
	if command == "trace" && len(arguments) == 0 {
		return runTraced(ctx, s)
	}

	retries := grpc.WithDefaultServiceConfig(serviceConfig)
	if command == "vectors" || command == "probe" {
		retries = grpc.WithDisableRetry()
	}
	conn, err := connect(s, retries)
	if err != nil {
		return err
	}
	defer conn.Close()
	switch {
	case command == "example" && len(arguments) == 0:
		return runExample(ctx, conn)
	case command == "watch" && len(arguments) == 1:
		return runWatch(ctx, conn, arguments[0], "")
	case command == "watch" && len(arguments) == 2:
		return runWatch(ctx, conn, arguments[0], arguments[1])
	case command == "vectors" && len(arguments) == 1:
		return runVectors(ctx, conn, simulator, arguments[0])
	case command == "check" && len(arguments) == 1:
		return runCheck(ctx, conn, simulator, arguments[0])
	case command == "probe" && len(arguments) == 0:
		fmt.Println(probe(ctx, conn))
		return nil
	}
	return usageError{fmt.Errorf(usage)}
}

func main() {
	err := run(context.Background(), os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, explain(err))
	if _, wrong := err.(usageError); wrong {
		os.Exit(2)
	}
	os.Exit(1)
}
