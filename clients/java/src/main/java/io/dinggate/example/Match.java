package io.dinggate.example;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** How expected JSON is compared with actual JSON: the rules of CONTRACT.md. */
final class Match {
  private static final JsonPrimitive ANYTHING = new JsonPrimitive("*");
  private static final JsonPrimitive EMPTY = new JsonPrimitive("");
  /** What is the same as absent. */
  private static final Set<JsonElement> DEFAULTS =
      Set.of(new JsonPrimitive(false), new JsonPrimitive(0), EMPTY, new JsonArray());

  private Match() {}

  /**
   * Differences, each with its path; none if it matches.
   *
   * @param actual null if it is absent
   */
  static List<String> differences(JsonElement expected, JsonElement actual, String path) {
    boolean good;
    if (expected.isJsonNull()) {
      good = actual == null;
    } else if (expected.equals(ANYTHING)) {
      good = actual != null && !actual.equals(EMPTY);
    } else if (actual == null) {
      good = DEFAULTS.contains(expected);
    } else if (expected instanceof JsonObject wanted && actual instanceof JsonObject found) {
      return wanted.keySet().stream()
          .flatMap(key -> differences(wanted.get(key), found.get(key), path + "." + key).stream())
          .toList();
    } else if (expected instanceof JsonArray wanted
        && actual instanceof JsonArray found
        && wanted.size() == found.size()) {
      return IntStream.range(0, wanted.size())
          .boxed()
          .flatMap(i -> differences(wanted.get(i), found.get(i), path + "[" + i + "]").stream())
          .toList();
    } else {
      good = expected.equals(actual);
    }
    return good ? List.of() : List.of(path + " is " + actual + ", not " + expected);
  }
}
