#include "source/stream/strict_json.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace sluice::stream {
namespace {

using Json = nlohmann::json;

bool hasTwoOfOneName(const MetadataFields& fields) {
  std::vector<std::string_view> names;
  names.reserve(fields.size());
  for (const MetadataField& field : fields) names.push_back(field.name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

// Each callback says whether to go on. The parser does not recurse; numbers that are not finite it refuses itself.
class Reader : public nlohmann::json_sax<Json> {
 public:
  MetadataFields take() { return std::move(read_); }

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add({value}); }
  bool number_integer(number_integer_t value) override { return add({static_cast<double>(value)}); }
  bool number_unsigned(number_unsigned_t value) override { return add({static_cast<double>(value)}); }
  bool number_float(number_float_t value, const std::string&) override { return add({value}); }
  bool string(std::string& value) override { return add({std::move(value)}); }
  bool binary(Json::binary_t&) override { return false; }
  bool key(std::string& name) override {
    open_.back().name = std::move(name);
    return true;
  }

  bool start_object(size_t) override { return open({.is_list = false}); }
  bool start_array(size_t) override { return !open_.empty() && open({.is_list = true}); }
  bool end_object() override {
    MetadataFields fields = std::move(open_.back().fields);
    open_.pop_back();
    if (hasTwoOfOneName(fields)) return false;
    if (!open_.empty()) return add({std::move(fields)});
    read_ = std::move(fields);
    return true;
  }
  bool end_array() override {
    MetadataList list = std::move(open_.back().list);
    open_.pop_back();
    return add({std::move(list)});
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  // An object or a list whose end has not come.
  struct Open {
    bool is_list;
    MetadataFields fields{};
    std::string name{};  // of the next one of `fields`
    MetadataList list{};
  };

  bool open(Open opened) {
    if (open_.size() == kStrictJsonDepth) return false;
    open_.push_back(std::move(opened));
    return true;
  }
  bool add(MetadataValue value) {
    if (open_.empty()) return false;  // no object
    Open& in = open_.back();
    in.is_list ? in.list.push_back(std::move(value)) : in.fields.push_back({std::move(in.name), std::move(value)});
    return true;
  }

  std::vector<Open> open_;
  MetadataFields read_;
};

}  // namespace

// To the parser a byte order mark is nothing, and NUL the end of the text.
std::optional<MetadataFields> readStrictJson(std::string_view text) {
  if (text.starts_with('\xef') || text.find('\0') != std::string_view::npos) return std::nullopt;
  Reader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) return std::nullopt;
  return reader.take();
}

}  // namespace sluice::stream
