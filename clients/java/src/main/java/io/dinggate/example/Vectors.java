package io.dinggate.example;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorDetailsProto;
import io.dinggate.admin.v1.AdminServiceGrpc;
import io.dinggate.admin.v1.QuotaServiceGrpc;
import io.dinggate.admin.v1.TokenServiceGrpc;
import io.dinggate.group.v1.AssistantServiceGrpc;
import io.dinggate.group.v1.GroupServiceGrpc;
import io.dinggate.group.v1.MemberServiceGrpc;
import io.dinggate.group.v1.PinnedCardServiceGrpc;
import io.dinggate.group.v1.TemplateServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs the requests of vectors.json and compares the answers; CONTRACT.md tells how to read the file. */
final class Vectors {
  private static final Set<String> KEYS = Set.of(
      "name", "prepare", "rpc", "metadata", "request", "code", "reply", "details", "trailers", "save");
  private static final JsonObject NOTHING = new JsonObject();

  private static final Map<String, MethodDescriptor<?, ?>> METHODS = Stream.of(
          AdminServiceGrpc.getServiceDescriptor(),
          AssistantServiceGrpc.getServiceDescriptor(),
          GroupServiceGrpc.getServiceDescriptor(),
          MemberServiceGrpc.getServiceDescriptor(),
          PinnedCardServiceGrpc.getServiceDescriptor(),
          QuotaServiceGrpc.getServiceDescriptor(),
          TemplateServiceGrpc.getServiceDescriptor(),
          TokenServiceGrpc.getServiceDescriptor())
      .map(ServiceDescriptor::getMethods)
      .flatMap(methods -> methods.stream())
      .collect(Collectors.toMap(MethodDescriptor::getFullMethodName, method -> method));

  private static final JsonFormat.TypeRegistry DETAILS =
      JsonFormat.TypeRegistry.newBuilder().add(ErrorDetailsProto.getDescriptor().getMessageTypes()).build();

  /** What came of a call: with OK a reply, otherwise the status of its details. */
  private record Outcome(Status.Code code, JsonObject trailers, JsonObject reply, JsonObject status) {}

  private final Channel channel;
  private final Simulator simulator;
  private final Map<String, JsonElement> variables = new HashMap<>();

  Vectors(Channel channel, Simulator simulator) {
    this.channel = channel;
    this.simulator = simulator;
  }

  /** Whether all vectors of a file are as they should be. */
  boolean run(Path file) throws IOException {
    boolean good = true;
    for (var vector : JsonParser.parseString(Files.readString(file)).getAsJsonObject().getAsJsonArray("vectors")) {
      String name = vector.getAsJsonObject().get("name").getAsString();
      var faults = faults(vector.getAsJsonObject());
      System.out.println(faults.isEmpty() ? "ok " + name : "not ok " + name + ": " + String.join("; ", faults));
      good &= faults.isEmpty();
    }
    return good;
  }

  private List<String> faults(JsonObject vector) {
    try {
      if (!KEYS.containsAll(vector.keySet())) {
        return List.of("an unknown key among " + vector.keySet());
      }
      for (var step : array(vector, "prepare")) {
        simulator.post(step.getAsJsonObject().get("path").getAsString(), step.getAsJsonObject().get("body"));
      }
      var outcome = call(vector);
      for (var saved : object(vector, "save").entrySet()) {
        variables.put(saved.getKey(), valueAt(outcome.reply, saved.getValue().getAsString()));
      }
      return compare(vector, outcome);
    } catch (InvalidProtocolBufferException | RuntimeException e) {
      return List.of(e.toString());
    }
  }

  private List<String> compare(JsonObject vector, Outcome outcome) {
    var faults = new ArrayList<String>();
    var code = vector.has("code") ? vector.get("code").getAsString() : "OK";
    if (!outcome.code.name().equals(code)) {
      faults.add("the code is " + outcome.code + " " + outcome.status);
    }
    faults.addAll(Match.differences(substitute(object(vector, "reply")), outcome.reply, "reply"));
    faults.addAll(Match.differences(substitute(object(vector, "trailers")), outcome.trailers, "trailers"));
    if (vector.has("details")) {
      var status = new JsonObject();
      status.addProperty("code", outcome.code.value());
      status.addProperty("message", "*");
      faults.addAll(Match.differences(status, outcome.status, "status"));
    }
    var details = array(outcome.status, "details").asList();
    for (var detail : substitute(array(vector, "details")).getAsJsonArray()) {
      if (details.stream().noneMatch(found -> Match.differences(detail, found, "").isEmpty())) {
        faults.add("no detail " + detail + " in " + outcome.status);
      }
    }
    return faults;
  }

  @SuppressWarnings("unchecked")
  private Outcome call(JsonObject vector) throws InvalidProtocolBufferException {
    var method = (MethodDescriptor<Message, Message>) METHODS.get(vector.get("rpc").getAsString());
    if (method == null) {
      throw new IllegalArgumentException("no method " + vector.get("rpc"));
    }
    var marshaller = (PrototypeMarshaller<Message>) method.getRequestMarshaller();
    var request = marshaller.getMessagePrototype().newBuilderForType();
    JsonFormat.parser().usingTypeRegistry(DETAILS).merge(substitute(vector.get("request")).toString(), request);

    var trailers = new AtomicReference<>(new Metadata());
    var channel = ClientInterceptors.intercept(
        this.channel,
        MetadataUtils.newAttachHeadersInterceptor(metadata(object(vector, "metadata"))),
        MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers));
    var options = CallOptions.DEFAULT.withDeadlineAfter(10, TimeUnit.SECONDS);
    try {
      var reply = ClientCalls.blockingUnaryCall(channel, method, options, request.build());
      return new Outcome(Status.Code.OK, json(trailers.get()), json(reply), NOTHING);
    } catch (StatusRuntimeException e) {
      var status = json(StatusProto.fromThrowable(e));
      return new Outcome(e.getStatus().getCode(), json(trailers.get()), NOTHING, status);
    }
  }

  private static JsonObject json(Message message) throws InvalidProtocolBufferException {
    return JsonParser.parseString(JsonFormat.printer().usingTypeRegistry(DETAILS).print(message)).getAsJsonObject();
  }

  private static JsonObject json(Metadata metadata) {
    var json = new JsonObject();
    metadata.keys().stream()
        .filter(name -> !name.endsWith(Metadata.BINARY_HEADER_SUFFIX))
        .forEach(name -> json.addProperty(name, metadata.get(key(name))));
    return json;
  }

  private static Metadata metadata(JsonObject json) {
    var metadata = new Metadata();
    json.entrySet().forEach(entry -> metadata.put(key(entry.getKey()), entry.getValue().getAsString()));
    return metadata;
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /** Puts variables where their names are. */
  private JsonElement substitute(JsonElement json) {
    if (json instanceof JsonObject object) {
      var copy = new JsonObject();
      object.entrySet().forEach(entry -> copy.add(entry.getKey(), substitute(entry.getValue())));
      return copy;
    }
    if (json instanceof JsonArray array) {
      var copy = new JsonArray();
      array.forEach(item -> copy.add(substitute(item)));
      return copy;
    }
    boolean variable = json instanceof JsonPrimitive text && text.isString() && text.getAsString().startsWith("$");
    return variable ? lookUp(json.getAsString().substring(1)) : json;
  }

  private JsonElement lookUp(String name) {
    if (name.startsWith("uuid")) {
      variables.computeIfAbsent(name, fresh -> new JsonPrimitive(UUID.randomUUID().toString()));
    }
    if (!variables.containsKey(name)) {
      throw new IllegalArgumentException("nothing was saved as $" + name);
    }
    return variables.get(name);
  }

  private static JsonElement valueAt(JsonElement json, String path) {
    var value = json;
    for (String key : path.split("\\.")) {
      value = value instanceof JsonObject object ? object.get(key) : null;
    }
    if (value == null) {
      throw new IllegalArgumentException("no " + path + " in " + json);
    }
    return value;
  }

  private static JsonObject object(JsonObject json, String key) {
    return json.has(key) ? json.getAsJsonObject(key) : NOTHING;
  }

  private static JsonArray array(JsonObject json, String key) {
    return json.has(key) ? json.getAsJsonArray(key) : new JsonArray();
  }
}
