package io.dinggate.example;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;

/** The command line. */
public final class Main {
  private static final String USAGE = "usage: java -jar dinggate-example.jar "
      + "example | watch SECONDS [TOKEN] | vectors FILE | check "
      + String.join("|", new TreeSet<>(Checks.BY_NAME.keySet())) + " | probe | trace";

  /** What a command does with a channel. Returns whether all is as it should be. */
  @FunctionalInterface
  private interface Command {
    boolean run(ManagedChannel channel) throws IOException, InterruptedException;
  }

  private Main() {}

  /** Exit code: 0 all is as it should be, 1 something is not, 2 wrong usage. */
  public static void main(String[] args) {
    System.exit(exitCode(List.of(args)));
  }

  private static int exitCode(List<String> args) {
    try {
      return run(args) ? 0 : 1;
    } catch (UsageException e) {
      System.err.println(e.getMessage());
      return 2;
    } catch (StatusRuntimeException e) {
      System.err.println(Errors.explain(e));
      return 1;
    } catch (IOException | InterruptedException | RuntimeException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        System.err.println(cause);
      }
      return 1;
    }
  }

  private static boolean run(List<String> args) throws IOException, InterruptedException {
    String command = args.isEmpty() ? "" : args.get(0);
    int most = switch (command) {
      case "watch" -> 3;
      case "vectors", "check" -> 2;
      default -> 1;
    };
    if (args.size() > most || args.size() < Math.min(most, 2)) {
      throw new UsageException(USAGE);
    }
    var connection = Environment.connection();
    return switch (command) {
      case "example" -> with(connection.repeatingChannel(), Main::example);
      case "watch" -> watch(connection, args.get(1), args.size() > 2 ? args.get(2) : "");
      case "vectors" -> vectors(connection, Path.of(args.get(1)));
      case "check" -> check(connection, args.get(1));
      case "probe" -> with(connection.channel(), Main::probe);
      case "trace" -> trace(connection);
      default -> throw new UsageException(USAGE);
    };
  }

  private static boolean with(ManagedChannelBuilder<?> builder, Command command)
      throws IOException, InterruptedException {
    ManagedChannel channel = builder.build();
    try {
      return command.run(channel);
    } finally {
      channel.shutdownNow();
    }
  }

  private static boolean example(ManagedChannel channel) {
    Example.run(channel);
    return true;
  }

  private static boolean watch(Connection connection, String seconds, String token)
      throws IOException, InterruptedException {
    if (!seconds.matches("[1-9]\\d{0,8}")) {
      throw new UsageException(USAGE);
    }
    return with(connection.repeatingChannel(), channel -> {
      new Watch(channel, Integer.parseInt(seconds), token, Watch::print).run();
      return false; // it ends only by what went wrong
    });
  }

  private static boolean vectors(Connection connection, Path file) throws IOException, InterruptedException {
    var simulator = Environment.simulator();
    return with(connection.channel(), channel -> new Vectors(channel, simulator).run(file));
  }

  private static boolean check(Connection connection, String name) throws IOException, InterruptedException {
    var check = Checks.BY_NAME.get(name);
    if (check == null) {
      throw new UsageException(USAGE);
    }
    return with(connection.repeatingChannel(), channel -> {
      try {
        check.accept(new Checks(channel));
        System.out.println("ok " + name);
        return true;
      } catch (RuntimeException e) {
        System.out.println("not ok " + name + ": " + e);
        return false;
      }
    });
  }

  private static boolean probe(ManagedChannel channel) {
    System.out.println(new Checks(channel).probe());
    return true;
  }

  private static boolean trace(Connection connection) throws IOException, InterruptedException {
    try (var telemetry = Tracing.start(Environment.required("OTEL_EXPORTER_OTLP_ENDPOINT"))) {
      return with(connection.repeatingChannel().intercept(Tracing.interceptor(telemetry)), channel -> {
        var incidents = new Incidents(channel);
        String id = Tracing.inSpan(
            telemetry, () -> incidents.open("Incident 4711", "manager4220", List.of("user001")));
        System.out.println("trace " + id);
        return true;
      });
    }
  }
}
