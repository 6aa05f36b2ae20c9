#include "source/config/known_fields.h"

#include <algorithm>
#include <charconv>

namespace sluice::config {

// Generated from known_fields.tsv: one line a message, sorted: "name\tnumber field number field ...\n".
extern const char kKnownFieldsTable[];
extern const unsigned kKnownFieldsTableSize;

namespace {

struct Table {
  Table() {
    std::string_view rest(kKnownFieldsTable, kKnownFieldsTableSize);
    while (!rest.empty()) {
      const size_t tab = rest.find('\t');
      const size_t end = rest.find('\n');
      messages.push_back(rest.substr(0, tab));
      fields.push_back(rest.substr(tab + 1, end - tab - 1));
      rest.remove_prefix(end + 1);
    }
  }

  std::string_view fieldsOf(std::string_view message) const {
    const auto found = std::lower_bound(messages.begin(), messages.end(), message);
    if (found == messages.end() || *found != message) return {};
    return fields[static_cast<size_t>(found - messages.begin())];
  }

  std::vector<std::string_view> messages;
  std::vector<std::string_view> fields;
};

const Table& table() {
  static const Table instance;
  return instance;
}

// Calls visit(number, name) for each field until it returns true.
template <typename Visit>
void eachField(std::string_view fields, Visit visit) {
  while (!fields.empty()) {
    const size_t number_end = fields.find(' ');
    const size_t name_end = std::min(fields.find(' ', number_end + 1), fields.size());
    if (visit(fields.substr(0, number_end), fields.substr(number_end + 1, name_end - number_end - 1))) return;
    fields.remove_prefix(std::min(name_end + 1, fields.size()));
  }
}

}  // namespace

bool isKnownMessage(std::string_view full_name) {
  return std::binary_search(table().messages.begin(), table().messages.end(), full_name);
}

bool isKnownField(std::string_view message, std::string_view field) {
  bool found = false;
  eachField(table().fieldsOf(message), [&](std::string_view, std::string_view name) { return found = name == field; });
  return found;
}

std::string_view knownFieldName(std::string_view message, int number) {
  std::string_view found;
  eachField(table().fieldsOf(message), [&](std::string_view digits, std::string_view name) {
    int value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (value == number) found = name;
    return value == number;
  });
  return found;
}

const std::vector<std::string_view>& knownMessages() {
  return table().messages;
}

}  // namespace sluice::config
