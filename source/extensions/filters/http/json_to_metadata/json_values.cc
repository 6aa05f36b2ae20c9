#include "source/extensions/filters/http/json_to_metadata/json_values.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

using Json = nlohmann::json;

// Hears the text piece by piece; false stops.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(const std::vector<JsonPath>& paths) : values(paths.size()) {
    for (const JsonPath& path : paths) places_.push_back({path});
  }

  bool null() override { return true; }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(int64_t{value}); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto kLargest = static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max());
    return value <= kLargest ? scalar(static_cast<int64_t>(value)) : scalar(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& text) override { return scalar(std::move(text)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override {
    // Places that the key leads to go on inside; the outermost object is inside of all.
    for (Place& place : places_) {
      if (place.here) ++place.inside;
    }
    return enter();
  }
  bool key(string_t& name) override {
    for (size_t i = 0; i < places_.size(); ++i) {
      Place& place = places_[i];
      place.here = place.inside + 1 == depth_ && place.inside < place.path.size() && place.path[place.inside] == name;
      if (place.here) values[i].reset();  // also what a key before it, of the same name, has led to
    }
    return true;
  }
  bool end_object() override {
    --depth_;
    for (Place& place : places_) {
      if (place.inside == depth_ && place.inside > 0) --place.inside;
      place.here = false;
    }
    return true;
  }
  bool start_array(size_t) override { return enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  std::vector<std::optional<JsonScalar>> values;

 private:
  struct Place {
    const JsonPath& path;
    size_t inside = 0;  // how many keys have led to an object that is open
    bool here = false;  // the key before the value that comes is its next one
  };

  // Inside of a list no value follows a key.
  bool enter() {
    ++depth_;
    for (Place& place : places_) place.here = false;
    return true;
  }
  bool scalar(JsonScalar value) {
    for (size_t i = 0; i < places_.size(); ++i) {
      Place& place = places_[i];
      if (place.here && place.inside + 1 == place.path.size()) values[i] = value;
      place.here = false;
    }
    return true;
  }

  std::vector<Place> places_;
  size_t depth_ = 0;  // objects and lists that are open
};

}  // namespace

std::optional<std::vector<std::optional<JsonScalar>>> readJsonValues(std::string_view text,
                                                                     const std::vector<JsonPath>& paths) {
  // NUL stands nowhere in JSON, and the parser would take the first one for the end of the text.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  Reader reader(paths);
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) return std::nullopt;
  return std::move(reader.values);
}

}  // namespace sluice::extensions::http_filters::json_to_metadata
