// A file of the MaxMind DB format, version 2, as it was when it was read; by libmaxminddb.
// Immutable; any thread.
#pragma once

#include <maxminddb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "source/net/address.h"

namespace sluice::extensions::geoip_providers::maxmind {

class Database {
 public:
  // What stands between a record and a value of it: keys of maps and places in arrays, null behind the last.
  using Path = const char* const*;

  // Copies the file into memory, so that whatever becomes of the file does nothing to those who read here: a mapping of
  // the file itself would end the process if the file were cut. The error names the file.
  static absl::StatusOr<std::shared_ptr<const Database>> read(const std::string& path);
  ~Database() { MMDB_close(&mmdb_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // When it was made, in seconds since 1970.
  uint64_t buildEpoch() const { return mmdb_.metadata.build_epoch; }

  // What is known of an IP address, as long as the database lives.
  struct Record {
    bool failed = false;                // it is damaged, or has no addresses of this family
    std::optional<MMDB_entry_s> entry;  // nothing: the address is not in it
  };
  Record find(const net::Address& address) const;

  // A text, a number other than 0, or "true" or "false"; empty: there is none.
  static std::string valueOf(MMDB_entry_s entry, Path path);

 private:
  explicit Database(const MMDB_s& mmdb) : mmdb_(mmdb) {}

  mutable MMDB_s mmdb_;  // that is closed
};

}  // namespace sluice::extensions::geoip_providers::maxmind
