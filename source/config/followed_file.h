// What is made of a file, and made again when the file changes. (proto: core.v3.DataSource)
//
//   out.users = config::readAndFollow<Users>(proto.users(), {.what = "basic_auth: the users", .stats = "..."}, context,
//       [source = proto.users()](const config::FactoryContext& context) { return readUsers(source, context); });
//
// With a `watched_directory` it is read whenever something there changes. What is wrong then leaves what was read
// before in place, and is in the log with its place. Thread: main; workers ask the Exchanged.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/message.h"
#include "source/config/errors.h"
#include "source/config/services.h"
#include "source/observability/stats.h"
#include "source/worker/exchanged.h"

namespace sluice::config {

struct Following {
  // In the log: "WHAT that were read before hold: ...".
  std::string what;
  // "http.PREFIX.key_auth.": of the counters reload_success and reload_failure; empty: it is not counted.
  std::string stats = {};
  const char* log = "http";  // the component that writes it
};

// Reads the file of `source` into `proto` and checks its rules; `positions` then are the places in it. False after
// reporting to `at`, which stands at `source`.
bool readMessageFile(const envoy::config::core::v3::DataSource& source, google::protobuf::Message& proto,
                     Positions& positions, const Context& at);

namespace detail {

class FollowedFile {
 public:
  FollowedFile(Following following, const FactoryContext& context);
  virtual ~FollowedFile() = default;
  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  // Follows, if `source` asks for it, and reads. False after reporting.
  static bool start(const std::shared_ptr<FollowedFile>& file, const envoy::config::core::v3::DataSource& source,
                    const FactoryContext& context);

 private:
  // False after reporting to `context`; what was there stays.
  virtual bool read(const FactoryContext& context) = 0;
  void readAgain();

  const Following following_;
  FactoryContext later_;
  std::optional<observability::Counter> success_, failure_;
  std::shared_ptr<const void> watch_;  // null: it is read once
};

template <typename T>
struct FollowedValue final : FollowedFile {
  using Reader = std::function<std::shared_ptr<const T>(const FactoryContext&)>;

  FollowedValue(Following following, Reader reader, const FactoryContext& context)
      : FollowedFile(std::move(following), context), value(context.services.local_slots), reader(std::move(reader)) {}

  bool read(const FactoryContext& context) override {
    std::shared_ptr<const T> next = reader(context);
    if (next == nullptr) return false;
    value.set(std::move(next));
    return true;
  }

  worker::Exchanged<T> value;
  const Reader reader;
};

}  // namespace detail

// Null after reporting to `context.at`, which stands at `source`. `read` gives null after reporting to what it gets. A
// source that is no file may be read, too, if it is not to be followed.
template <typename T>
std::shared_ptr<const worker::Exchanged<T>> readAndFollow(
    const envoy::config::core::v3::DataSource& source, Following following, const FactoryContext& context,
    std::function<std::shared_ptr<const T>(const FactoryContext&)> read) {
  const auto file = std::make_shared<detail::FollowedValue<T>>(std::move(following), std::move(read), context);
  if (!detail::FollowedFile::start(file, source, context)) return nullptr;
  return {file, &file->value};
}

}  // namespace sluice::config
