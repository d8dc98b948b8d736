package io.dinggate.example;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.function.UnaryOperator;

/** The simulated DingTalk behind the gateway, for the checks that make it fail. */
final class Simulator {
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String address;

  Simulator(String address) {
    this.address = address;
  }

  void post(String path, JsonElement body) {
    send(path, request -> request.POST(BodyPublishers.ofString(body.toString())));
  }

  /** How many calls of an operation it has seen. */
  int calls(String operation) {
    return JsonParser.parseString(send("/_sim/calls?operation=" + operation, HttpRequest.Builder::GET))
        .getAsJsonArray()
        .size();
  }

  private String send(String path, UnaryOperator<HttpRequest.Builder> method) {
    var request = method.apply(HttpRequest.newBuilder(URI.create(address + path)).timeout(Duration.ofSeconds(10)));
    try {
      var response = http.send(request.build(), BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IllegalStateException(path + ": HTTP " + response.statusCode() + " " + response.body());
      }
      return response.body();
    } catch (IOException e) {
      throw new UncheckedIOException(path, e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
