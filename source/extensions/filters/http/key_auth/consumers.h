// Who calls APIs, and by which keys they are known.
// Thread: made on main, then immutable.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/filter/credentials/key_table.h"
#include "source/stream/metadata.h"
#include "source/worker/exchanged.h"

namespace sluice::extensions::http_filters::key_auth {

// Years up to 9999 fit.
using WallTime = std::chrono::sys_seconds;

struct Consumer {
  std::string name;
  std::vector<std::string> groups;
  stream::MetadataFields plan;
};

// How a consumer is known: by a key, or without one.
class Known {
 public:
  Known(const Consumer& consumer, std::string prefix, std::optional<WallTime> expires)
      : consumer_(consumer), prefix_(std::move(prefix)), expires_(expires) {}

  const Consumer& consumer() const { return consumer_; }
  bool isExpired(WallTime now) const { return expires_ && now >= *expires_; }
  // Made when it is first asked for: most of many never are. Any thread.
  const std::shared_ptr<const stream::MetadataFields>& identity() const;

 private:
  const Consumer& consumer_;
  const std::string prefix_;
  const std::optional<WallTime> expires_;
  mutable std::once_flag made_;
  mutable std::shared_ptr<const stream::MetadataFields> identity_;
};

class Consumers {
 public:
  Consumers() = default;
  Consumers(const Consumers&) = delete;
  Consumers& operator=(const Consumers&) = delete;

  // The reference lives as long as this. Null: there is one of that name.
  const Consumer* add(Consumer consumer);
  // Of a consumer that was added. False: it is there.
  bool addKey(const Consumer& consumer, const filter::KeyDigest& key, std::string prefix,
              std::optional<WallTime> expires);
  // False: there is no such consumer.
  bool setAnonymous(std::string_view name);

  // Null: nobody's.
  const Known* find(std::string_view key) const;
  // Null: requests without a key are refused.
  const Known* anonymous() const { return anonymous_ ? &*anonymous_ : nullptr; }

 private:
  std::deque<Consumer> consumers_;
  absl::flat_hash_map<std::string_view, const Consumer*> by_name_;
  std::deque<Known> keys_;
  filter::KeyTable<const Known*> by_key_;
  std::optional<Known> anonymous_;
};

// Consumers that main may exchange.
struct ConsumerFile {
  explicit ConsumerFile(const worker::LocalSlots& slots) : consumers(slots) {}

  worker::Exchanged<Consumers> consumers;
  std::shared_ptr<const void> watch;  // null: it is read once
};

}  // namespace sluice::extensions::http_filters::key_auth
