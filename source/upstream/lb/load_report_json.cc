#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/numbers.h"
#include "source/upstream/lb/load_report.h"

namespace sluice::upstream::lb {
namespace {

using Json = nlohmann::json;
using Field = LoadMetric::Field;

// Hears the text piece by piece, so that nothing is kept of it and no depth of it costs anything; false stops.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(LoadReport& out) : out_(out) {}

  // `null` is as good as nothing; text may be a number, as in the JSON form of protobuf.
  bool null() override { return depth_ > 0; }
  bool boolean(bool) override { return unknown(); }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool string(string_t& text) override {
    double value = 0;
    return absl::SimpleAtod(text, &value) ? number(value) : unknown();
  }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override {
    // One report, and in it maps; what is not known may have any shape.
    if (depth_ == 1 && field_ && !isMap(*field_)) return false;
    if (depth_ == 2 && field_) return false;
    ++depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) field_ = loadFieldOf(name);
    if (depth_ == 2) key_ = name;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (!unknown()) return false;
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  // Whether what stands here is of a field that nobody knows.
  bool unknown() const { return depth_ > 0 && !field_; }
  bool number(double value) {
    if (!field_) return depth_ > 0;
    if (depth_ == 1) return !isMap(*field_) && out_.note({*field_}, value);
    return out_.note({*field_, key_}, value);
  }

  LoadReport& out_;
  int depth_ = 0;
  std::optional<Field> field_;  // of the report; not set: an unknown one
  std::string key_;             // in its map
};

}  // namespace

bool readLoadReportJson(std::string_view text, LoadReport& out) {
  Reader reader(out);
  return Json::sax_parse(text.begin(), text.end(), &reader);
}

}  // namespace sluice::upstream::lb
